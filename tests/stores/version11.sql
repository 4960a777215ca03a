BEGIN TRANSACTION;
CREATE TABLE answers (
            key TEXT PRIMARY KEY,
            text TEXT NOT NULL,
            thinking TEXT NOT NULL,
            finish TEXT NOT NULL,
            input_tokens INTEGER NOT NULL,
            output_tokens INTEGER NOT NULL,
            created_at TEXT NOT NULL
        );
INSERT INTO "answers" VALUES('key','cached','','stop',0,0,'2026-11-01T00:00:36.000000+00:00');
CREATE TABLE attachments (
            message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            name TEXT NOT NULL,
            media_type TEXT NOT NULL,
            sha256 TEXT NOT NULL REFERENCES blobs (sha256),
            PRIMARY KEY (message_id, position)
        ) WITHOUT ROWID
        ;
INSERT INTO "attachments" VALUES(14,0,'a.png','image/png','ad91235e882292469812e16da0b8fc77075a7c6d6f8760c24be14a5c792508cf');
INSERT INTO "attachments" VALUES(16,0,'a.png','image/png','ad91235e882292469812e16da0b8fc77075a7c6d6f8760c24be14a5c792508cf');
CREATE TABLE blobs (sha256 TEXT PRIMARY KEY, data BLOB NOT NULL);
INSERT INTO "blobs" VALUES('ad91235e882292469812e16da0b8fc77075a7c6d6f8760c24be14a5c792508cf',X'89504E4700');
CREATE TABLE journal (
            message_id INTEGER NOT NULL REFERENCES open_answers (message_id) ON DELETE CASCADE,
            seq INTEGER NOT NULL,
            written_at TEXT NOT NULL,
            text TEXT NOT NULL,
            thinking TEXT NOT NULL,
            PRIMARY KEY (message_id, seq)
        ) WITHOUT ROWID
        ;
INSERT INTO "journal" VALUES(8,0,'2026-11-01T00:00:21.000000+00:00','deux ','');
INSERT INTO "journal" VALUES(8,1,'2026-11-01T00:00:22.000000+00:00','trois','');
INSERT INTO "journal" VALUES(21,0,'2026-11-01T00:00:51.000000+00:00','thu','');
CREATE TABLE messages (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
            parent_id INTEGER REFERENCES messages (id) DEFERRABLE INITIALLY DEFERRED,
            role TEXT NOT NULL,
            text TEXT NOT NULL,
            thinking TEXT NOT NULL,
            status TEXT NOT NULL,
            provider_data TEXT NOT NULL,
            created_at TEXT NOT NULL
        , copied INTEGER NOT NULL DEFAULT 0, depth INTEGER NOT NULL DEFAULT 0, used INTEGER NOT NULL DEFAULT 1);
INSERT INTO "messages" VALUES(1,'426bebrj',NULL,'user','How far is the moon?','','complete','{}','2026-11-01T00:00:02.000000+00:00',0,1,1);
INSERT INTO "messages" VALUES(2,'426bebrj',1,'assistant','384,400 km','hm, 384,400 km','complete','{}','2026-11-01T00:00:03.000000+00:00',0,2,1);
INSERT INTO "messages" VALUES(3,'426bebrj',2,'user','and the sun? ß é 東京','','complete','{}','2026-11-01T00:00:06.000000+00:00',0,3,1);
INSERT INTO "messages" VALUES(4,'426bebrj',3,'assistant','149.6 million km','hm, 149.6 million km','complete','{}','2026-11-01T00:00:07.000000+00:00',0,4,1);
INSERT INTO "messages" VALUES(5,'s8kksher',NULL,'user','count','','complete','{}','2026-11-01T00:00:11.000000+00:00',0,1,1);
INSERT INTO "messages" VALUES(6,'s8kksher',5,'assistant','one two','','interrupted','{}','2026-11-01T00:00:12.000000+00:00',0,2,1);
INSERT INTO "messages" VALUES(7,'9jh438ys',NULL,'user','count on','','complete','{}','2026-11-01T00:00:16.000000+00:00',0,1,1);
INSERT INTO "messages" VALUES(8,'9jh438ys',7,'assistant','one ','','interrupted','{}','2026-11-01T00:00:17.000000+00:00',0,2,1);
INSERT INTO "messages" VALUES(9,'33vs6rhz',NULL,'user','go on','','complete','{}','2026-11-01T00:00:24.000000+00:00',0,1,1);
INSERT INTO "messages" VALUES(10,'33vs6rhz',9,'assistant','half of it','hm, half of it','interrupted','{}','2026-11-01T00:00:25.000000+00:00',0,2,1);
INSERT INTO "messages" VALUES(11,'facd51mg',NULL,'user',X'6C6F6E6520EDB28020737572726F67617465200020616E64207A65726F','','complete','{}','2026-11-01T00:00:29.000000+00:00',0,1,1);
INSERT INTO "messages" VALUES(12,'vvg7nfqy',NULL,'user','at length','','complete','{}','2026-11-01T00:00:32.000000+00:00',0,1,1);
INSERT INTO "messages" VALUES(13,'vvg7nfqy',12,'assistant','','','complete','{}','2026-11-01T00:00:33.000000+00:00',0,2,1);
INSERT INTO "messages" VALUES(14,'dcmrwf4h',NULL,'user','what is this?','','complete','{}','2026-11-01T00:00:38.000000+00:00',0,1,1);
INSERT INTO "messages" VALUES(15,'dcmrwf4h',14,'assistant','a picture','hm, a picture','complete','{}','2026-11-01T00:00:39.000000+00:00',0,2,1);
INSERT INTO "messages" VALUES(16,'d8nznmhp',NULL,'user','what is this?','','complete','{}','2026-11-01T00:00:38.000000+00:00',1,1,1);
INSERT INTO "messages" VALUES(17,'d8nznmhp',16,'assistant','a picture','hm, a picture','complete','{}','2026-11-01T00:00:39.000000+00:00',1,2,1);
INSERT INTO "messages" VALUES(18,'a9dm6j0g',NULL,'user','why?','','complete','{}','2026-11-01T00:00:44.000000+00:00',0,1,1);
INSERT INTO "messages" VALUES(19,'a9dm6j0g',18,'assistant','because','hm, because','complete','{}','2026-11-01T00:00:45.000000+00:00',0,2,1);
INSERT INTO "messages" VALUES(20,'a9dm6j0g',NULL,'user','how?','','complete','{}','2026-11-01T00:00:48.000000+00:00',0,1,2);
INSERT INTO "messages" VALUES(21,'a9dm6j0g',20,'assistant','','','interrupted','{}','2026-11-01T00:00:49.000000+00:00',0,2,1);
INSERT INTO "messages" VALUES(22,'z1rb1g66',NULL,'user','why not?','','complete','{}','2026-11-01T00:00:53.000000+00:00',0,1,1);
INSERT INTO "messages" VALUES(23,'z1rb1g66',22,'assistant','no reason','hm, no reason','complete','{}','2026-11-01T00:00:54.000000+00:00',0,2,1);
INSERT INTO "messages" VALUES(24,'z1rb1g66',22,'assistant','some reason','','complete','{}','2026-11-01T00:00:57.000000+00:00',0,2,2);
INSERT INTO "messages" VALUES(25,'zp40fj4e',NULL,'user','when?','','complete','{}','2026-11-01T00:01:01.000000+00:00',0,1,0);
INSERT INTO "messages" VALUES(26,'zp40fj4e',25,'assistant','now','hm, now','complete','{}','2026-11-01T00:01:02.000000+00:00',0,2,1);
CREATE TABLE open_answers (
            message_id INTEGER PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
            revision INTEGER NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('paused', 'streaming')),
            reason TEXT NOT NULL,
            provider TEXT NOT NULL,
            model TEXT NOT NULL,
            options TEXT NOT NULL,
            mode TEXT NOT NULL,
            guidance TEXT NOT NULL,
            began_at TEXT NOT NULL,
            owner_pid INTEGER NOT NULL,
            owner_host TEXT NOT NULL,
            owner_born TEXT NOT NULL
        , piped INTEGER NOT NULL DEFAULT 0);
INSERT INTO "open_answers" VALUES(6,1,'paused','pause','openai','gpt','{"temperature": 0.5, "max_tokens": 100, "seed": null, "stop": ["END"]}','fresh','','2026-11-01T00:00:13.000000+00:00',0,'','',0);
INSERT INTO "open_answers" VALUES(8,2,'streaming','pause','openai','gpt','{"temperature": 0.5, "max_tokens": 100, "seed": null, "stop": ["END"]}','instruct','in French','2026-11-01T00:00:20.000000+00:00',0,'','',0);
INSERT INTO "open_answers" VALUES(21,0,'streaming','crash','openai','gpt','{"temperature": 0.5, "max_tokens": 100, "seed": null, "stop": ["END"]}','fresh','','2026-11-01T00:00:50.000000+00:00',0,'','',0);
CREATE TABLE pieces (
            message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
            seq INTEGER NOT NULL,
            text TEXT NOT NULL,
            thinking TEXT NOT NULL,
            PRIMARY KEY (message_id, seq)
        );
INSERT INTO "pieces" VALUES(13,0,'word0 word1 word2 word3 word4 word5 word6 word7 word8 word9 word','hm, word0 word1 word2 word3 word4 word5 word6 word7 word8 word9 ');
INSERT INTO "pieces" VALUES(13,1,'10 word11 word12 word13 word14 word15 word16 word17 word18 word1','word10 word11 word12 word13 word14 word15 word16 word17 word18 w');
INSERT INTO "pieces" VALUES(13,2,'9 word20 word21 word22 word23 word24 word25 word26 word27 word28','ord19 word20 word21 word22 word23 word24 word25 word26 word27 wo');
INSERT INTO "pieces" VALUES(13,3,' word29 word30 word31 word32 word33 word34 word35 word36 word37 ','rd28 word29 word30 word31 word32 word33 word34 word35 word36 wor');
INSERT INTO "pieces" VALUES(13,4,'word38 word39 ','d37 word38 word39 ');
CREATE TABLE segments (
            message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            provider TEXT NOT NULL,
            model TEXT NOT NULL,
            mode TEXT NOT NULL,
            "start" INTEGER NOT NULL,
            "end" INTEGER NOT NULL,
            end_reason TEXT NOT NULL,
            input_tokens INTEGER NOT NULL,
            output_tokens INTEGER NOT NULL,
            estimated INTEGER NOT NULL,
            first_token_ms INTEGER,
            duration_ms INTEGER NOT NULL,
            guidance TEXT NOT NULL, retries INTEGER NOT NULL DEFAULT 0, cost REAL, seam TEXT NOT NULL DEFAULT '', cut TEXT NOT NULL DEFAULT '', added TEXT NOT NULL DEFAULT '', cached_tokens INTEGER NOT NULL DEFAULT 0, cache_write_tokens INTEGER NOT NULL DEFAULT 0, stated_cost REAL, input_cost REAL, saved REAL,
            PRIMARY KEY (message_id, position)
        ) WITHOUT ROWID
        ;
INSERT INTO "segments" VALUES(2,0,'openai','gpt','fresh',0,10,'stop',3,5,0,7,11,'',0,NULL,'','','',0,0,NULL,NULL,NULL);
INSERT INTO "segments" VALUES(4,0,'openai','gpt','fresh',0,16,'stop',3,5,0,7,11,'',0,NULL,'','','',0,0,NULL,NULL,NULL);
INSERT INTO "segments" VALUES(6,0,'openai','gpt','fresh',0,7,'pause',3,5,0,7,11,'',0,NULL,'','','',0,0,NULL,NULL,NULL);
INSERT INTO "segments" VALUES(8,0,'openai','gpt','fresh',0,4,'pause',3,5,0,7,11,'',0,NULL,'','','',0,0,NULL,NULL,NULL);
INSERT INTO "segments" VALUES(10,0,'openai','gpt','fresh',0,10,'stop',3,5,0,7,11,'',0,NULL,'','','',0,0,NULL,NULL,NULL);
INSERT INTO "segments" VALUES(13,0,'openai','gpt','fresh',0,270,'stop',3,5,0,7,11,'',0,NULL,'','','',0,0,NULL,NULL,NULL);
INSERT INTO "segments" VALUES(15,0,'openai','gpt','fresh',0,9,'stop',3,5,0,7,11,'',0,NULL,'','','',0,0,NULL,NULL,NULL);
INSERT INTO "segments" VALUES(17,0,'openai','gpt','fresh',0,9,'stop',3,5,0,7,11,'',0,NULL,'','','',0,0,NULL,NULL,NULL);
INSERT INTO "segments" VALUES(19,0,'openai','gpt','fresh',0,7,'stop',3,5,0,7,11,'',0,NULL,'','','',0,0,NULL,NULL,NULL);
INSERT INTO "segments" VALUES(23,0,'openai','gpt','fresh',0,9,'stop',3,5,0,7,11,'',0,NULL,'','','',0,0,NULL,NULL,NULL);
INSERT INTO "segments" VALUES(26,0,'openai','gpt','fresh',0,3,'stop',3,5,0,7,11,'',0,NULL,'','','',0,0,NULL,NULL,NULL);
CREATE TABLE sessions (
            id TEXT PRIMARY KEY,
            title TEXT NOT NULL,
            system TEXT NOT NULL,
            head_id INTEGER REFERENCES messages (id) DEFERRABLE INITIALLY DEFERRED,
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL
        , change INTEGER NOT NULL DEFAULT 0);
INSERT INTO "sessions" VALUES('426bebrj','How far is the moon?','be brief',4,'2026-11-01T00:00:01.000000+00:00','2026-11-01T00:00:09.000000+00:00',7);
INSERT INTO "sessions" VALUES('s8kksher','paused','',6,'2026-11-01T00:00:10.000000+00:00','2026-11-01T00:00:14.000000+00:00',11);
INSERT INTO "sessions" VALUES('9jh438ys','cut','',8,'2026-11-01T00:00:15.000000+00:00','2026-11-01T00:00:20.000000+00:00',16);
INSERT INTO "sessions" VALUES('33vs6rhz','stopped','',10,'2026-11-01T00:00:23.000000+00:00','2026-11-01T00:00:27.000000+00:00',20);
INSERT INTO "sessions" VALUES('facd51mg','odd','',11,'2026-11-01T00:00:28.000000+00:00','2026-11-01T00:00:29.000000+00:00',22);
INSERT INTO "sessions" VALUES('e5k0vsgr','empty','',NULL,'2026-11-01T00:00:30.000000+00:00','2026-11-01T00:00:30.000000+00:00',23);
INSERT INTO "sessions" VALUES('vvg7nfqy','long','',13,'2026-11-01T00:00:31.000000+00:00','2026-11-01T00:00:35.000000+00:00',27);
INSERT INTO "sessions" VALUES('dcmrwf4h','with files','',15,'2026-11-01T00:00:37.000000+00:00','2026-11-01T00:00:41.000000+00:00',31);
INSERT INTO "sessions" VALUES('d8nznmhp','with files (branch)','',17,'2026-11-01T00:00:42.000000+00:00','2026-11-01T00:00:42.000000+00:00',32);
INSERT INTO "sessions" VALUES('a9dm6j0g','how?','',21,'2026-11-01T00:00:43.000000+00:00','2026-11-01T00:00:49.000000+00:00',38);
INSERT INTO "sessions" VALUES('z1rb1g66','asked again','',24,'2026-11-01T00:00:52.000000+00:00','2026-11-01T00:00:59.000000+00:00',44);
INSERT INTO "sessions" VALUES('zp40fj4e','taken back','',NULL,'2026-11-01T00:01:00.000000+00:00','2026-11-01T00:01:05.000000+00:00',49);
CREATE TABLE unindexed (message_id INTEGER PRIMARY KEY);
INSERT INTO "unindexed" VALUES(1);
INSERT INTO "unindexed" VALUES(2);
INSERT INTO "unindexed" VALUES(3);
INSERT INTO "unindexed" VALUES(4);
INSERT INTO "unindexed" VALUES(5);
INSERT INTO "unindexed" VALUES(6);
INSERT INTO "unindexed" VALUES(7);
INSERT INTO "unindexed" VALUES(8);
INSERT INTO "unindexed" VALUES(9);
INSERT INTO "unindexed" VALUES(10);
INSERT INTO "unindexed" VALUES(11);
INSERT INTO "unindexed" VALUES(12);
INSERT INTO "unindexed" VALUES(13);
INSERT INTO "unindexed" VALUES(14);
INSERT INTO "unindexed" VALUES(15);
INSERT INTO "unindexed" VALUES(16);
INSERT INTO "unindexed" VALUES(17);
INSERT INTO "unindexed" VALUES(18);
INSERT INTO "unindexed" VALUES(19);
INSERT INTO "unindexed" VALUES(20);
INSERT INTO "unindexed" VALUES(21);
INSERT INTO "unindexed" VALUES(22);
INSERT INTO "unindexed" VALUES(23);
INSERT INTO "unindexed" VALUES(24);
INSERT INTO "unindexed" VALUES(25);
INSERT INTO "unindexed" VALUES(26);
CREATE INDEX messages_of_parent ON messages (parent_id);
CREATE INDEX sessions_of_head ON sessions (head_id);
CREATE INDEX attachments_of_blob ON attachments (sha256);
CREATE TRIGGER unattached AFTER DELETE ON attachments
        WHEN NOT EXISTS (SELECT 1 FROM attachments WHERE sha256 = OLD.sha256)
        BEGIN
            DELETE FROM blobs WHERE sha256 = OLD.sha256;
        END;
CREATE INDEX sessions_by_change ON sessions (change);
CREATE TRIGGER session_made AFTER INSERT ON sessions BEGIN
            UPDATE sessions SET change = (SELECT max(change) FROM sessions) + 1 WHERE id = NEW.id;
        END;
CREATE TRIGGER session_changed AFTER UPDATE OF updated_at ON sessions BEGIN
            UPDATE sessions SET change = (SELECT max(change) FROM sessions) + 1 WHERE id = NEW.id;
        END;
CREATE INDEX messages_of_session ON messages (session_id, parent_id);
CREATE TRIGGER message_said AFTER INSERT ON messages BEGIN
            INSERT OR IGNORE INTO unindexed VALUES (NEW.id);
        END;
CREATE TRIGGER message_changed AFTER UPDATE OF text ON messages BEGIN
            INSERT OR IGNORE INTO unindexed VALUES (NEW.id);
        END;
CREATE TRIGGER message_gone AFTER DELETE ON messages BEGIN
            INSERT OR IGNORE INTO unindexed VALUES (OLD.id);
        END;
CREATE INDEX sessions_by_title ON sessions (title, id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('messages',26);
COMMIT;
PRAGMA application_id = 1819045236;
PRAGMA user_version = 11;
