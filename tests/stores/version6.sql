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
INSERT INTO "answers" VALUES('key','cached','','stop',0,0,'2026-11-01T00:00:30.000000+00:00');
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
INSERT INTO "journal" VALUES(8,0,'2026-11-01T00:00:17.000000+00:00','deux ','');
INSERT INTO "journal" VALUES(8,1,'2026-11-01T00:00:18.000000+00:00','trois','');
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
        , copied INTEGER NOT NULL DEFAULT 0);
INSERT INTO "messages" VALUES(1,'je4hmbcj',NULL,'user','How far is the moon?','','complete','{}','2026-11-01T00:00:02.000000+00:00',0);
INSERT INTO "messages" VALUES(2,'je4hmbcj',1,'assistant','384,400 km','hm, 384,400 km','complete','{}','2026-11-01T00:00:03.000000+00:00',0);
INSERT INTO "messages" VALUES(3,'je4hmbcj',2,'user','and the sun? ß é 東京','','complete','{}','2026-11-01T00:00:05.000000+00:00',0);
INSERT INTO "messages" VALUES(4,'je4hmbcj',3,'assistant','149.6 million km','hm, 149.6 million km','complete','{}','2026-11-01T00:00:06.000000+00:00',0);
INSERT INTO "messages" VALUES(5,'ysmj9qvj',NULL,'user','count','','complete','{}','2026-11-01T00:00:09.000000+00:00',0);
INSERT INTO "messages" VALUES(6,'ysmj9qvj',5,'assistant','one two','','interrupted','{}','2026-11-01T00:00:10.000000+00:00',0);
INSERT INTO "messages" VALUES(7,'byq3k5kg',NULL,'user','count on','','complete','{}','2026-11-01T00:00:13.000000+00:00',0);
INSERT INTO "messages" VALUES(8,'byq3k5kg',7,'assistant','one ','','interrupted','{}','2026-11-01T00:00:14.000000+00:00',0);
INSERT INTO "messages" VALUES(9,'ggmssenh',NULL,'user','go on','','complete','{}','2026-11-01T00:00:20.000000+00:00',0);
INSERT INTO "messages" VALUES(10,'ggmssenh',9,'assistant','half of it','hm, half of it','interrupted','{}','2026-11-01T00:00:21.000000+00:00',0);
INSERT INTO "messages" VALUES(11,'ntb6evrz',NULL,'user',X'6C6F6E6520EDB28020737572726F67617465200020616E64207A65726F','','complete','{}','2026-11-01T00:00:24.000000+00:00',0);
INSERT INTO "messages" VALUES(12,'p80ndsdq',NULL,'user','at length','','complete','{}','2026-11-01T00:00:27.000000+00:00',0);
INSERT INTO "messages" VALUES(13,'p80ndsdq',12,'assistant','','','complete','{}','2026-11-01T00:00:28.000000+00:00',0);
INSERT INTO "messages" VALUES(14,'dr6dby6t',NULL,'user','what is this?','','complete','{}','2026-11-01T00:00:32.000000+00:00',0);
INSERT INTO "messages" VALUES(15,'dr6dby6t',14,'assistant','a picture','hm, a picture','complete','{}','2026-11-01T00:00:33.000000+00:00',0);
INSERT INTO "messages" VALUES(16,'tq1t50dp',NULL,'user','what is this?','','complete','{}','2026-11-01T00:00:32.000000+00:00',1);
INSERT INTO "messages" VALUES(17,'tq1t50dp',16,'assistant','a picture','hm, a picture','complete','{}','2026-11-01T00:00:33.000000+00:00',1);
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
INSERT INTO "open_answers" VALUES(6,1,'paused','pause','openai','gpt','{"temperature": 0.5, "max_tokens": 100, "seed": null, "stop": ["END"]}','fresh','','2026-11-01T00:00:10.000000+00:00',0,'','',0);
INSERT INTO "open_answers" VALUES(8,2,'streaming','pause','openai','gpt','{"temperature": 0.5, "max_tokens": 100, "seed": null, "stop": ["END"]}','instruct','in French','2026-11-01T00:00:16.000000+00:00',0,'','',0);
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
            guidance TEXT NOT NULL, retries INTEGER NOT NULL DEFAULT 0, cost REAL, seam TEXT NOT NULL DEFAULT '', cut TEXT NOT NULL DEFAULT '', added TEXT NOT NULL DEFAULT '',
            PRIMARY KEY (message_id, position)
        ) WITHOUT ROWID
        ;
INSERT INTO "segments" VALUES(2,0,'openai','gpt','fresh',0,10,'stop',3,5,0,7,11,'',0,NULL,'','','');
INSERT INTO "segments" VALUES(4,0,'openai','gpt','fresh',0,16,'stop',3,5,0,7,11,'',0,NULL,'','','');
INSERT INTO "segments" VALUES(6,0,'openai','gpt','fresh',0,7,'pause',3,5,0,7,11,'',0,NULL,'','','');
INSERT INTO "segments" VALUES(8,0,'openai','gpt','fresh',0,4,'pause',3,5,0,7,11,'',0,NULL,'','','');
INSERT INTO "segments" VALUES(10,0,'openai','gpt','fresh',0,10,'stop',3,5,0,7,11,'',0,NULL,'','','');
INSERT INTO "segments" VALUES(13,0,'openai','gpt','fresh',0,270,'stop',3,5,0,7,11,'',0,NULL,'','','');
INSERT INTO "segments" VALUES(15,0,'openai','gpt','fresh',0,9,'stop',3,5,0,7,11,'',0,NULL,'','','');
INSERT INTO "segments" VALUES(17,0,'openai','gpt','fresh',0,9,'stop',3,5,0,7,11,'',0,NULL,'','','');
CREATE TABLE sessions (
            id TEXT PRIMARY KEY,
            title TEXT NOT NULL,
            system TEXT NOT NULL,
            head_id INTEGER REFERENCES messages (id) DEFERRABLE INITIALLY DEFERRED,
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL
        );
INSERT INTO "sessions" VALUES('je4hmbcj','How far is the moon?','be brief',4,'2026-11-01T00:00:01.000000+00:00','2026-11-01T00:00:07.000000+00:00');
INSERT INTO "sessions" VALUES('ysmj9qvj','paused','',6,'2026-11-01T00:00:08.000000+00:00','2026-11-01T00:00:11.000000+00:00');
INSERT INTO "sessions" VALUES('byq3k5kg','cut','',8,'2026-11-01T00:00:12.000000+00:00','2026-11-01T00:00:16.000000+00:00');
INSERT INTO "sessions" VALUES('ggmssenh','stopped','',10,'2026-11-01T00:00:19.000000+00:00','2026-11-01T00:00:22.000000+00:00');
INSERT INTO "sessions" VALUES('ntb6evrz','odd','',11,'2026-11-01T00:00:23.000000+00:00','2026-11-01T00:00:24.000000+00:00');
INSERT INTO "sessions" VALUES('46n3by88','empty','',NULL,'2026-11-01T00:00:25.000000+00:00','2026-11-01T00:00:25.000000+00:00');
INSERT INTO "sessions" VALUES('p80ndsdq','long','',13,'2026-11-01T00:00:26.000000+00:00','2026-11-01T00:00:29.000000+00:00');
INSERT INTO "sessions" VALUES('dr6dby6t','with files','',15,'2026-11-01T00:00:31.000000+00:00','2026-11-01T00:00:34.000000+00:00');
INSERT INTO "sessions" VALUES('tq1t50dp','with files (branch)','',17,'2026-11-01T00:00:35.000000+00:00','2026-11-01T00:00:35.000000+00:00');
CREATE INDEX messages_of_session ON messages (session_id);
CREATE INDEX messages_of_parent ON messages (parent_id);
CREATE INDEX sessions_of_head ON sessions (head_id);
CREATE INDEX attachments_of_blob ON attachments (sha256);
CREATE TRIGGER unattached AFTER DELETE ON attachments
        WHEN NOT EXISTS (SELECT 1 FROM attachments WHERE sha256 = OLD.sha256)
        BEGIN
            DELETE FROM blobs WHERE sha256 = OLD.sha256;
        END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('messages',17);
COMMIT;
PRAGMA application_id = 1819045236;
PRAGMA user_version = 6;
