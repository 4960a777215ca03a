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
        );
INSERT INTO "messages" VALUES(1,'j6t4ca6r',NULL,'user','How far is the moon?','','complete','{}','2026-11-01T00:00:02.000000+00:00');
INSERT INTO "messages" VALUES(2,'j6t4ca6r',1,'assistant','384,400 km','hm, 384,400 km','complete','{}','2026-11-01T00:00:03.000000+00:00');
INSERT INTO "messages" VALUES(3,'j6t4ca6r',2,'user','and the sun? ß é 東京','','complete','{}','2026-11-01T00:00:05.000000+00:00');
INSERT INTO "messages" VALUES(4,'j6t4ca6r',3,'assistant','149.6 million km','hm, 149.6 million km','complete','{}','2026-11-01T00:00:06.000000+00:00');
INSERT INTO "messages" VALUES(5,'01nr67cw',NULL,'user','count','','complete','{}','2026-11-01T00:00:09.000000+00:00');
INSERT INTO "messages" VALUES(6,'01nr67cw',5,'assistant','one two','','interrupted','{}','2026-11-01T00:00:10.000000+00:00');
INSERT INTO "messages" VALUES(7,'xhqykcew',NULL,'user','count on','','complete','{}','2026-11-01T00:00:13.000000+00:00');
INSERT INTO "messages" VALUES(8,'xhqykcew',7,'assistant','one ','','interrupted','{}','2026-11-01T00:00:14.000000+00:00');
INSERT INTO "messages" VALUES(9,'gj7qs6m9',NULL,'user','go on','','complete','{}','2026-11-01T00:00:20.000000+00:00');
INSERT INTO "messages" VALUES(10,'gj7qs6m9',9,'assistant','half of it','hm, half of it','interrupted','{}','2026-11-01T00:00:21.000000+00:00');
INSERT INTO "messages" VALUES(11,'d1bnv0js',NULL,'user',X'6C6F6E6520EDB28020737572726F67617465200020616E64207A65726F','','complete','{}','2026-11-01T00:00:24.000000+00:00');
INSERT INTO "messages" VALUES(12,'shnzz9h6',NULL,'user','at length','','complete','{}','2026-11-01T00:00:27.000000+00:00');
INSERT INTO "messages" VALUES(13,'shnzz9h6',12,'assistant','','','complete','{}','2026-11-01T00:00:28.000000+00:00');
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
        );
INSERT INTO "open_answers" VALUES(6,1,'paused','pause','openai','gpt','{"temperature": 0.5, "max_tokens": 100, "seed": null, "stop": ["END"]}','fresh','','2026-11-01T00:00:10.000000+00:00',0,'','');
INSERT INTO "open_answers" VALUES(8,2,'streaming','pause','openai','gpt','{"temperature": 0.5, "max_tokens": 100, "seed": null, "stop": ["END"]}','instruct','in French','2026-11-01T00:00:16.000000+00:00',0,'','');
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
CREATE TABLE sessions (
            id TEXT PRIMARY KEY,
            title TEXT NOT NULL,
            system TEXT NOT NULL,
            head_id INTEGER REFERENCES messages (id) DEFERRABLE INITIALLY DEFERRED,
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL
        );
INSERT INTO "sessions" VALUES('j6t4ca6r','How far is the moon?','be brief',4,'2026-11-01T00:00:01.000000+00:00','2026-11-01T00:00:07.000000+00:00');
INSERT INTO "sessions" VALUES('01nr67cw','paused','',6,'2026-11-01T00:00:08.000000+00:00','2026-11-01T00:00:11.000000+00:00');
INSERT INTO "sessions" VALUES('xhqykcew','cut','',8,'2026-11-01T00:00:12.000000+00:00','2026-11-01T00:00:16.000000+00:00');
INSERT INTO "sessions" VALUES('gj7qs6m9','stopped','',10,'2026-11-01T00:00:19.000000+00:00','2026-11-01T00:00:22.000000+00:00');
INSERT INTO "sessions" VALUES('d1bnv0js','odd','',11,'2026-11-01T00:00:23.000000+00:00','2026-11-01T00:00:24.000000+00:00');
INSERT INTO "sessions" VALUES('wxt9xvea','empty','',NULL,'2026-11-01T00:00:25.000000+00:00','2026-11-01T00:00:25.000000+00:00');
INSERT INTO "sessions" VALUES('shnzz9h6','long','',13,'2026-11-01T00:00:26.000000+00:00','2026-11-01T00:00:29.000000+00:00');
CREATE INDEX messages_of_session ON messages (session_id);
CREATE INDEX messages_of_parent ON messages (parent_id);
CREATE INDEX sessions_of_head ON sessions (head_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('messages',13);
COMMIT;
PRAGMA application_id = 1819045236;
PRAGMA user_version = 5;
