BEGIN TRANSACTION;
CREATE TABLE api_prompts (
	source TEXT NOT NULL, 
	name TEXT NOT NULL, 
	imported BOOLEAN NOT NULL, 
	differs TEXT, 
	CONSTRAINT api_prompts_pkey PRIMARY KEY (source, name)
);
INSERT INTO "api_prompts" VALUES('prod','checkout/cart',1,NULL);
INSERT INTO "api_prompts" VALUES('prod','search/rank',1,NULL);
CREATE TABLE api_sources (
	source TEXT NOT NULL, 
	project_id TEXT, 
	imported_at BIGINT, 
	looked_at BIGINT, 
	lease_until BIGINT, 
	CONSTRAINT api_sources_pkey PRIMARY KEY (source)
);
INSERT INTO "api_sources" VALUES('prod','project',1796089594133,1796089594144,NULL);
CREATE TABLE attempts (
	delivery INTEGER NOT NULL, 
	fence BIGINT NOT NULL, 
	number INTEGER NOT NULL, 
	started_at BIGINT NOT NULL, 
	finished_at BIGINT, 
	outcome TEXT, 
	status INTEGER, 
	reason TEXT NOT NULL, 
	excerpt TEXT NOT NULL, 
	CONSTRAINT attempts_pkey PRIMARY KEY (delivery, fence), 
	CONSTRAINT attempts_outcome_check CHECK (outcome IN ('accepted', 'retry', 'rejected', 'refused', 'lost')), 
	CONSTRAINT attempts_ended_check CHECK ((finished_at IS NULL) = (outcome IS NULL)), 
	CONSTRAINT attempts_delivery_fkey FOREIGN KEY(delivery) REFERENCES deliveries (seq) ON DELETE CASCADE
);
INSERT INTO "attempts" VALUES(4,1,1,1796089594089,1796089594144,'accepted',200,'HTTP 200 OK','{"ok": true, "channel": "C", "ts": "1.0"}');
INSERT INTO "attempts" VALUES(3,1,1,1796089594089,1796089594116,'retry',503,'HTTP 503 Service Unavailable','ok');
INSERT INTO "attempts" VALUES(2,1,1,1796089594089,1796089594144,'rejected',400,'HTTP 400 Bad Request','ok');
INSERT INTO "attempts" VALUES(1,1,1,1796089594089,1796089594144,'accepted',200,'HTTP 200 OK','ok');
INSERT INTO "attempts" VALUES(9,1,1,1796089594332,1796089594346,'retry',503,'HTTP 503 Service Unavailable','ok');
INSERT INTO "attempts" VALUES(8,1,1,1796089594332,1796089594349,'rejected',400,'HTTP 400 Bad Request','ok');
INSERT INTO "attempts" VALUES(7,1,1,1796089594332,NULL,NULL,NULL,'','');
INSERT INTO "attempts" VALUES(10,1,1,1796089595095,1796089595107,'accepted',200,'HTTP 200 OK','{"ok": true, "channel": "C", "ts": "1.0"}');
CREATE TABLE change_labels (
	change_id TEXT NOT NULL, 
	label TEXT NOT NULL, 
	CONSTRAINT change_labels_pkey PRIMARY KEY (change_id, label), 
	CONSTRAINT change_labels_change_id_fkey FOREIGN KEY(change_id) REFERENCES changes (id) ON DELETE CASCADE
);
INSERT INTO "change_labels" VALUES('2b587afc68c858d17c94790aed37e168','production');
INSERT INTO "change_labels" VALUES('2b587afc68c858d17c94790aed37e168','latest');
INSERT INTO "change_labels" VALUES('16a88e487931d57cbc1d5d1890428a7e','latest');
INSERT INTO "change_labels" VALUES('e8e451ff90d8f3fc676dd5f44d33b7a2','production');
INSERT INTO "change_labels" VALUES('38380dfdeb8cc90acda1a43e259da379','production');
CREATE TABLE changes (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id TEXT NOT NULL, 
	event INTEGER, 
	prompt INTEGER, 
	version_id TEXT, 
	version BIGINT, 
	type TEXT NOT NULL, 
	action TEXT, 
	origin TEXT NOT NULL, 
	author TEXT, 
	happened_at BIGINT NOT NULL, 
	facts TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	CONSTRAINT changes_action_check CHECK (action IN ('created', 'updated', 'deleted')), 
	CONSTRAINT changes_origin_check CHECK (origin IN ('webhook', 'reconcile', 'inferred', 'backfill')), 
	CONSTRAINT changes_event_fkey FOREIGN KEY(event) REFERENCES events (seq) ON DELETE SET NULL, 
	CONSTRAINT changes_prompt_fkey FOREIGN KEY(prompt) REFERENCES prompts (id), 
	CONSTRAINT changes_id_key UNIQUE (id)
);
INSERT INTO "changes" VALUES(1,'b8b52e786ed4b270b610922187b8fe10',5,NULL,NULL,NULL,'router.quarantined',NULL,'webhook',NULL,1796089593973,'{}',1796089593982);
INSERT INTO "changes" VALUES(2,'2b587afc68c858d17c94790aed37e168',1,1,'project-2',2,'prompt-version','updated','webhook','Ann',1796089593898,'{"version":{"id":"project-2","number":2,"labels":["latest","production"],"tags":["eu"],"updated_at":"2026-12-01T01:46:33.898000Z","content":null},"labels_gained":["latest","production"],"tags_gained":["eu"],"assumed":true}',1796089594061);
INSERT INTO "changes" VALUES(3,'1fbee44e9c5ee22b21ea4f737ac03b8a',2,1,'project-1',1,'prompt-version','updated','webhook','Ann',1796089593899,'{"version":{"id":"project-1","number":1,"labels":[],"tags":["eu"],"updated_at":"2026-12-01T01:46:33.899000Z","content":null},"quiet":true}',1796089594061);
INSERT INTO "changes" VALUES(4,'16a88e487931d57cbc1d5d1890428a7e',3,2,'project-3',1,'prompt-version','created','webhook','Ann',1796089593900,'{"version":{"id":"project-3","number":1,"labels":["latest"],"tags":["eu"],"updated_at":"2026-12-01T01:46:33.900000Z","content":null},"labels_gained":["latest"],"tags_gained":["eu"]}',1796089594061);
INSERT INTO "changes" VALUES(5,'f74ce8bfbf0f8c6b313d4ea563104c1d',6,NULL,NULL,NULL,'router.delivery_dead',NULL,'webhook',NULL,1796089594169,'{}',1796089594207);
INSERT INTO "changes" VALUES(6,'e8e451ff90d8f3fc676dd5f44d33b7a2',7,1,'project-1',1,'prompt-version','updated','webhook','Ann',1796089593901,'{"version":{"id":"project-1","number":1,"labels":["production"],"tags":["eu"],"updated_at":"2026-12-01T01:46:33.901000Z","content":null},"labels_gained":["production"],"moved":[{"label":"production","from":2,"to":1}],"replaced":{"production":{"id":"project-2","number":2,"labels":["latest","production"],"tags":["eu"],"updated_at":"2026-12-01T01:46:33.898000Z","content":null}}}',1796089594326);
INSERT INTO "changes" VALUES(7,'38380dfdeb8cc90acda1a43e259da379',8,1,'project-2',2,'prompt-version','updated','webhook','Ann',1796089593902,'{"version":{"id":"project-2","number":2,"labels":["latest"],"tags":["eu"],"updated_at":"2026-12-01T01:46:33.902000Z","content":null},"labels_lost":["production"],"half":true}',1796089594326);
CREATE TABLE deliveries (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	"key" TEXT NOT NULL, 
	firing TEXT NOT NULL, 
	rule TEXT NOT NULL, 
	action TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	destination TEXT NOT NULL, 
	type TEXT NOT NULL, 
	status TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	prompt INTEGER, 
	about_trouble BOOLEAN NOT NULL, 
	created_at BIGINT NOT NULL, 
	queued_at BIGINT NOT NULL, 
	due_at BIGINT NOT NULL, 
	ended_at BIGINT, 
	attempts INTEGER NOT NULL, 
	fence BIGINT NOT NULL, 
	lease_until BIGINT, 
	order_key TEXT, 
	lane TEXT, 
	again INTEGER NOT NULL, 
	trace TEXT, 
	message TEXT, 
	CONSTRAINT deliveries_lease_check CHECK ((status = 'sending') = (lease_until IS NOT NULL)), 
	CONSTRAINT deliveries_message_check CHECK (message IS NOT NULL OR status IN ('dead', 'skipped', 'cancelled')), 
	CONSTRAINT deliveries_status_check CHECK (status IN ('pending', 'sending', 'retrying', 'delivered', 'dead', 'captured', 'skipped', 'cancelled')), 
	CONSTRAINT deliveries_firing_fkey FOREIGN KEY(firing) REFERENCES firings (id), 
	CONSTRAINT deliveries_prompt_fkey FOREIGN KEY(prompt) REFERENCES prompts (id), 
	CONSTRAINT deliveries_firing_action_destination_again_key UNIQUE (firing, action, destination, again), 
	CONSTRAINT deliveries_key_key UNIQUE ("key")
);
INSERT INTO "deliveries" VALUES(1,'da82e7b195ae8917388243f85dbf7c62','19083067bc128f651a5a558f6b7684e6','promoted','d979ffd9db2bb16f',0,'sink','http','delivered','HTTP 200 OK',1,0,1796089594075,1796089594075,1796089594075,1796089594144,1,1,NULL,NULL,NULL,0,NULL,'{"type":"http","method":"POST","path":"","query":{},"headers":{},"body":{"type":"json","value":{"event":{"id":"event-0","type":"prompt-version","action":"updated","source":"prod","origin":"webhook","timestamp":"2026-12-01T01:46:33.906Z","user":{"name":"Ann","email":"ann@example.com"},"replay":false},"prompt":{"name":"checkout/cart","folder":"checkout","version":2,"labels":["latest","production"],"tags":["eu"],"type":"text","text":"Hello {{name}}","messages":[],"config":{},"variables":["name"],"commit_message":null,"created_by":"u1","project_id":"project","created_at":"2026-11-30T23:46:32.061Z","updated_at":"2026-12-01T01:46:33.898Z","url":null},"author":"Ann","label":"production","change":{"labels_gained":["latest","production"],"labels_lost":[],"labels_removed":[],"tags_gained":["eu"],"tags_lost":[],"moved":[],"moved_from":null,"rollback":false,"versions_left":null,"assumed":true,"quiet":false,"previous":null,"diff":"","config_diff":"","added":0,"removed":0,"variables_gained":[],"variables_lost":[]},"rule":{"name":"promoted","description":""}}},"status":[],"where":[],"templated_path":false}');
INSERT INTO "deliveries" VALUES(2,'9a9f4a744881109678bca0986f318050','19083067bc128f651a5a558f6b7684e6','promoted','d979ffd9db2bb16f',0,'refusing','http','dead','HTTP 400 Bad Request',1,0,1796089594075,1796089594075,1796089594075,1796089594144,1,1,NULL,NULL,NULL,0,NULL,'{"type":"http","method":"POST","path":"","query":{},"headers":{},"body":{"type":"json","value":{"event":{"id":"event-0","type":"prompt-version","action":"updated","source":"prod","origin":"webhook","timestamp":"2026-12-01T01:46:33.906Z","user":{"name":"Ann","email":"ann@example.com"},"replay":false},"prompt":{"name":"checkout/cart","folder":"checkout","version":2,"labels":["latest","production"],"tags":["eu"],"type":"text","text":"Hello {{name}}","messages":[],"config":{},"variables":["name"],"commit_message":null,"created_by":"u1","project_id":"project","created_at":"2026-11-30T23:46:32.061Z","updated_at":"2026-12-01T01:46:33.898Z","url":null},"author":"Ann","label":"production","change":{"labels_gained":["latest","production"],"labels_lost":[],"labels_removed":[],"tags_gained":["eu"],"tags_lost":[],"moved":[],"moved_from":null,"rollback":false,"versions_left":null,"assumed":true,"quiet":false,"previous":null,"diff":"","config_diff":"","added":0,"removed":0,"variables_gained":[],"variables_lost":[]},"rule":{"name":"promoted","description":""}}},"status":[],"where":[],"templated_path":false}');
INSERT INTO "deliveries" VALUES(3,'a544800f33b3289c505eb951ca6d689f','19083067bc128f651a5a558f6b7684e6','promoted','d979ffd9db2bb16f',0,'down','http','retrying','HTTP 503 Service Unavailable',1,0,1796089594075,1796089594075,1796092846436,NULL,1,1,NULL,NULL,NULL,0,NULL,'{"type":"http","method":"POST","path":"","query":{},"headers":{},"body":{"type":"json","value":{"event":{"id":"event-0","type":"prompt-version","action":"updated","source":"prod","origin":"webhook","timestamp":"2026-12-01T01:46:33.906Z","user":{"name":"Ann","email":"ann@example.com"},"replay":false},"prompt":{"name":"checkout/cart","folder":"checkout","version":2,"labels":["latest","production"],"tags":["eu"],"type":"text","text":"Hello {{name}}","messages":[],"config":{},"variables":["name"],"commit_message":null,"created_by":"u1","project_id":"project","created_at":"2026-11-30T23:46:32.061Z","updated_at":"2026-12-01T01:46:33.898Z","url":null},"author":"Ann","label":"production","change":{"labels_gained":["latest","production"],"labels_lost":[],"labels_removed":[],"tags_gained":["eu"],"tags_lost":[],"moved":[],"moved_from":null,"rollback":false,"versions_left":null,"assumed":true,"quiet":false,"previous":null,"diff":"","config_diff":"","added":0,"removed":0,"variables_gained":[],"variables_lost":[]},"rule":{"name":"promoted","description":""}}},"status":[],"where":[],"templated_path":false}');
INSERT INTO "deliveries" VALUES(4,'0177ea10bf1a64e09c6e54d69a9a83f0','19083067bc128f651a5a558f6b7684e6','promoted','76ad6be7c86d25c9',1,'bot','slack','delivered','HTTP 200 OK',1,0,1796089594075,1796089594075,1796089594075,1796089594144,1,1,NULL,'prod/project/checkout/cart',NULL,0,NULL,'{"type":"slack","text":"checkout/cart: production set on v2; tags +eu (Ann)","plain":true,"channel":"#prompts","templated_channel":false,"thread":"prod/project/checkout/cart","blocks":[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"checkout/cart","style":{"bold":true}},{"type":"text","text":"  production set on v2; tags +eu"}]},{"type":"rich_text_section","elements":[{"type":"text","text":"by Ann"},{"type":"text","text":" · labels:"},{"type":"text","text":" "},{"type":"text","text":"+latest","style":{"bold":true}},{"type":"text","text":" "},{"type":"text","text":"+production","style":{"bold":true}},{"type":"text","text":" · tags:"},{"type":"text","text":" "},{"type":"text","text":"+eu","style":{"bold":true}},{"type":"text","text":" · first sight of this version: what it held before is not known"}]}]}],"color":null}');
INSERT INTO "deliveries" VALUES(5,'d4c857d1404b58dcd993126350946030','f9598383a030d41f031822af1187fa7c','tried','5dc943c094e0d0c3',0,'sink','http','captured','',1,0,1796089594075,1796089594075,1796089594075,NULL,0,0,NULL,NULL,NULL,0,NULL,'{"type":"http","method":"POST","path":"","query":{},"headers":{},"body":{"type":"json","value":{"event":{"id":"event-0","type":"prompt-version","action":"updated","source":"prod","origin":"webhook","timestamp":"2026-12-01T01:46:33.906Z","user":{"name":"Ann","email":"ann@example.com"},"replay":false},"prompt":{"name":"checkout/cart","folder":"checkout","version":2,"labels":["latest","production"],"tags":["eu"],"type":"text","text":"Hello {{name}}","messages":[],"config":{},"variables":["name"],"commit_message":null,"created_by":"u1","project_id":"project","created_at":"2026-11-30T23:46:32.061Z","updated_at":"2026-12-01T01:46:33.898Z","url":null},"author":"Ann","label":"production","change":{"labels_gained":["latest","production"],"labels_lost":[],"labels_removed":[],"tags_gained":["eu"],"tags_lost":[],"moved":[],"moved_from":null,"rollback":false,"versions_left":null,"assumed":true,"quiet":false,"previous":null,"diff":"","config_diff":"","added":0,"removed":0,"variables_gained":[],"variables_lost":[]},"rule":{"name":"tried","description":""}}},"status":[],"where":[],"templated_path":false}');
INSERT INTO "deliveries" VALUES(6,'a5b8f769a809042284941441931b2ed6','6eb0bb9a76f5817c00ab7c3d4812955c','tried','5dc943c094e0d0c3',0,'sink','http','captured','',2,0,1796089594075,1796089594075,1796089594075,NULL,0,0,NULL,NULL,NULL,0,NULL,'{"type":"http","method":"POST","path":"","query":{},"headers":{},"body":{"type":"json","value":{"event":{"id":"event-2","type":"prompt-version","action":"created","source":"prod","origin":"webhook","timestamp":"2026-12-01T01:46:33.937Z","user":{"name":"Ann","email":"ann@example.com"},"replay":false},"prompt":{"name":"search/rank","folder":"search","version":1,"labels":["latest"],"tags":["eu"],"type":"text","text":"Rank ü\u0000😀","messages":[],"config":{},"variables":[],"commit_message":null,"created_by":"u1","project_id":"project","created_at":"2026-12-01T01:46:33.900Z","updated_at":"2026-12-01T01:46:33.900Z","url":null},"author":"Ann","label":"latest","change":{"labels_gained":["latest"],"labels_lost":[],"labels_removed":[],"tags_gained":["eu"],"tags_lost":[],"moved":[],"moved_from":null,"rollback":false,"versions_left":null,"assumed":false,"quiet":false,"previous":null,"diff":"","config_diff":"","added":0,"removed":0,"variables_gained":[],"variables_lost":[]},"rule":{"name":"tried","description":""}}},"status":[],"where":[],"templated_path":false}');
INSERT INTO "deliveries" VALUES(7,'0881f133de3964879716cd02501e983f','3960dc40c8fa119305510389d5f7053b','promoted','d979ffd9db2bb16f',0,'sink','http','sending','',1,0,1796089594328,1796089594328,1796089594328,NULL,1,1,1796089924332,NULL,NULL,0,NULL,'{"type":"http","method":"POST","path":"","query":{},"headers":{},"body":{"type":"json","value":{"event":{"id":"event-6","type":"prompt-version","action":"updated","source":"prod","origin":"webhook","timestamp":"2026-12-01T01:46:34.290Z","user":{"name":"Ann","email":"ann@example.com"},"replay":false},"prompt":{"name":"checkout/cart","folder":"checkout","version":1,"labels":["production"],"tags":["eu"],"type":"text","text":"Hello","messages":[],"config":{},"variables":[],"commit_message":null,"created_by":"u1","project_id":"project","created_at":"2026-11-30T23:46:32.060Z","updated_at":"2026-12-01T01:46:33.901Z","url":null},"author":"Ann","label":"production","change":{"labels_gained":["production"],"labels_lost":[],"labels_removed":[],"tags_gained":[],"tags_lost":[],"moved":[{"label":"production","from":2,"to":1}],"moved_from":2,"rollback":true,"versions_left":null,"assumed":false,"quiet":false,"previous":{"version":2,"text":"Hello {{name}}","labels":["latest","production"],"config":{},"commit_message":null,"created_at":"2026-11-30T23:46:32.061Z"},"diff":"@@ -1 +1 @@\n-Hello {{name}}\n+Hello","config_diff":"","added":1,"removed":1,"variables_gained":[],"variables_lost":["name"]},"rule":{"name":"promoted","description":""}}},"status":[],"where":[],"templated_path":false}');
INSERT INTO "deliveries" VALUES(8,'9b68da0336f848f4bac4c0f5bbba249e','3960dc40c8fa119305510389d5f7053b','promoted','d979ffd9db2bb16f',0,'refusing','http','dead','HTTP 400 Bad Request',1,0,1796089594328,1796089594328,1796089594328,1796089594349,1,1,NULL,NULL,NULL,0,NULL,'{"type":"http","method":"POST","path":"","query":{},"headers":{},"body":{"type":"json","value":{"event":{"id":"event-6","type":"prompt-version","action":"updated","source":"prod","origin":"webhook","timestamp":"2026-12-01T01:46:34.290Z","user":{"name":"Ann","email":"ann@example.com"},"replay":false},"prompt":{"name":"checkout/cart","folder":"checkout","version":1,"labels":["production"],"tags":["eu"],"type":"text","text":"Hello","messages":[],"config":{},"variables":[],"commit_message":null,"created_by":"u1","project_id":"project","created_at":"2026-11-30T23:46:32.060Z","updated_at":"2026-12-01T01:46:33.901Z","url":null},"author":"Ann","label":"production","change":{"labels_gained":["production"],"labels_lost":[],"labels_removed":[],"tags_gained":[],"tags_lost":[],"moved":[{"label":"production","from":2,"to":1}],"moved_from":2,"rollback":true,"versions_left":null,"assumed":false,"quiet":false,"previous":{"version":2,"text":"Hello {{name}}","labels":["latest","production"],"config":{},"commit_message":null,"created_at":"2026-11-30T23:46:32.061Z"},"diff":"@@ -1 +1 @@\n-Hello {{name}}\n+Hello","config_diff":"","added":1,"removed":1,"variables_gained":[],"variables_lost":["name"]},"rule":{"name":"promoted","description":""}}},"status":[],"where":[],"templated_path":false}');
INSERT INTO "deliveries" VALUES(9,'bc4644193a2902b5d0176e049332479d','3960dc40c8fa119305510389d5f7053b','promoted','d979ffd9db2bb16f',0,'down','http','retrying','HTTP 503 Service Unavailable',1,0,1796089594328,1796089594328,1796093446401,NULL,1,1,NULL,NULL,NULL,0,NULL,'{"type":"http","method":"POST","path":"","query":{},"headers":{},"body":{"type":"json","value":{"event":{"id":"event-6","type":"prompt-version","action":"updated","source":"prod","origin":"webhook","timestamp":"2026-12-01T01:46:34.290Z","user":{"name":"Ann","email":"ann@example.com"},"replay":false},"prompt":{"name":"checkout/cart","folder":"checkout","version":1,"labels":["production"],"tags":["eu"],"type":"text","text":"Hello","messages":[],"config":{},"variables":[],"commit_message":null,"created_by":"u1","project_id":"project","created_at":"2026-11-30T23:46:32.060Z","updated_at":"2026-12-01T01:46:33.901Z","url":null},"author":"Ann","label":"production","change":{"labels_gained":["production"],"labels_lost":[],"labels_removed":[],"tags_gained":[],"tags_lost":[],"moved":[{"label":"production","from":2,"to":1}],"moved_from":2,"rollback":true,"versions_left":null,"assumed":false,"quiet":false,"previous":{"version":2,"text":"Hello {{name}}","labels":["latest","production"],"config":{},"commit_message":null,"created_at":"2026-11-30T23:46:32.061Z"},"diff":"@@ -1 +1 @@\n-Hello {{name}}\n+Hello","config_diff":"","added":1,"removed":1,"variables_gained":[],"variables_lost":["name"]},"rule":{"name":"promoted","description":""}}},"status":[],"where":[],"templated_path":false}');
INSERT INTO "deliveries" VALUES(10,'46116da4e4fa26522a5c3ef39324f27f','3960dc40c8fa119305510389d5f7053b','promoted','76ad6be7c86d25c9',1,'bot','slack','delivered','HTTP 200 OK',1,0,1796089594328,1796089594328,1796089594328,1796089595107,1,1,NULL,'prod/project/checkout/cart',NULL,0,NULL,'{"type":"slack","text":"checkout/cart: production rolled back v2 → v1 (Ann)","plain":true,"channel":"#prompts","templated_channel":false,"thread":"prod/project/checkout/cart","blocks":[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"checkout/cart","style":{"bold":true}},{"type":"text","text":"  production rolled back v2 → v1"}]},{"type":"rich_text_section","elements":[{"type":"text","text":"⚠ variable gone: name (callers need not pass it any more)"}]},{"type":"rich_text_preformatted","elements":[{"type":"text","text":"@@ -1 +1 @@\n-Hello {{name}}\n+Hello"}]},{"type":"rich_text_section","elements":[{"type":"text","text":"by Ann"},{"type":"text","text":" · labels:"},{"type":"text","text":" "},{"type":"text","text":"+production","style":{"bold":true}},{"type":"text","text":" · tags:"},{"type":"text","text":" "},{"type":"text","text":"eu"},{"type":"text","text":" · text against v2: +1 −1 lines"}]}]}],"color":null}');
INSERT INTO "deliveries" VALUES(11,'f445a54ca14b877fded48011d9b5754c','af34f9c03f2f1226bb6d90afc76220e6','tried','5dc943c094e0d0c3',0,'sink','http','captured','',1,0,1796089594328,1796089594328,1796089594328,NULL,0,0,NULL,NULL,NULL,0,NULL,'{"type":"http","method":"POST","path":"","query":{},"headers":{},"body":{"type":"json","value":{"event":{"id":"event-6","type":"prompt-version","action":"updated","source":"prod","origin":"webhook","timestamp":"2026-12-01T01:46:34.290Z","user":{"name":"Ann","email":"ann@example.com"},"replay":false},"prompt":{"name":"checkout/cart","folder":"checkout","version":1,"labels":["production"],"tags":["eu"],"type":"text","text":"Hello","messages":[],"config":{},"variables":[],"commit_message":null,"created_by":"u1","project_id":"project","created_at":"2026-11-30T23:46:32.060Z","updated_at":"2026-12-01T01:46:33.901Z","url":null},"author":"Ann","label":"production","change":{"labels_gained":["production"],"labels_lost":[],"labels_removed":[],"tags_gained":[],"tags_lost":[],"moved":[{"label":"production","from":2,"to":1}],"moved_from":2,"rollback":true,"versions_left":null,"assumed":false,"quiet":false,"previous":{"version":2,"text":"Hello {{name}}","labels":["latest","production"],"config":{},"commit_message":null,"created_at":"2026-11-30T23:46:32.061Z"},"diff":"@@ -1 +1 @@\n-Hello {{name}}\n+Hello","config_diff":"","added":1,"removed":1,"variables_gained":[],"variables_lost":["name"]},"rule":{"name":"tried","description":""}}},"status":[],"where":[],"templated_path":false}');
CREATE TABLE destinations (
	name TEXT NOT NULL, 
	type TEXT NOT NULL, 
	in_force BOOLEAN NOT NULL, 
	paused_until BIGINT, 
	breaker TEXT, 
	spending TEXT, 
	CONSTRAINT destinations_pkey PRIMARY KEY (name, type)
);
INSERT INTO "destinations" VALUES('sink','http',1,NULL,NULL,NULL);
INSERT INTO "destinations" VALUES('refusing','http',1,NULL,NULL,NULL);
INSERT INTO "destinations" VALUES('down','http',1,NULL,'{"failures":2,"openings":0,"open_until":null,"probe":null,"reason":""}',NULL);
INSERT INTO "destinations" VALUES('bot','slack',1,NULL,NULL,'{"rate":{"count":1,"per":"PT1S"},"spent":[[1796089595095,1]]}');
CREATE TABLE events (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	source TEXT NOT NULL, 
	id TEXT NOT NULL, 
	origin TEXT NOT NULL, 
	type TEXT NOT NULL, 
	action TEXT, 
	project_id TEXT, 
	prompt TEXT, 
	received_at BIGINT NOT NULL, 
	sent_at BIGINT, 
	status TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	ruleset TEXT, 
	routed_at BIGINT, 
	body_digest TEXT NOT NULL, 
	trace TEXT, 
	body BLOB NOT NULL, 
	CONSTRAINT events_action_check CHECK (action IN ('created', 'updated', 'deleted')), 
	CONSTRAINT events_origin_check CHECK (origin IN ('webhook', 'reconcile', 'inferred', 'backfill')), 
	CONSTRAINT events_status_check CHECK (status IN ('waiting', 'routed', 'quiet', 'stale', 'duplicate', 'quarantined')), 
	CONSTRAINT events_id_source_key UNIQUE (id, source)
);
INSERT INTO "events" VALUES(1,'prod','event-0','webhook','prompt-version','updated','project','checkout/cart',1796089593908,1796089593906,'routed','','69b3db0b92962ab0',1796089594061,'d16c63eee1e1566b2e314ed79d67c52f37c23b734edc35a3f00ddca22985ed25',NULL,X'7B226964223A226576656E742D30222C2274696D657374616D70223A22323032362D31322D30315430313A34363A33332E3930365A222C2274797065223A2270726F6D70742D76657273696F6E222C2261706956657273696F6E223A227631222C22616374696F6E223A2275706461746564222C2275736572223A7B226E616D65223A22416E6E222C22656D61696C223A22616E6E406578616D706C652E636F6D227D2C2270726F6D7074223A7B226964223A2270726F6A6563742D32222C226E616D65223A22636865636B6F75742F63617274222C2276657273696F6E223A322C2270726F6A6563744964223A2270726F6A656374222C22637265617465644279223A227531222C226C6162656C73223A5B2270726F64756374696F6E222C226C6174657374225D2C2270726F6D7074223A2248656C6C6F207B7B6E616D657D7D222C2274797065223A2274657874222C22636F6E666967223A7B7D2C22636F6D6D69744D657373616765223A6E756C6C2C2274616773223A5B226575225D2C22637265617465644174223A22323032362D31312D33305432333A34363A33322E3036315A222C22757064617465644174223A22323032362D31322D30315430313A34363A33332E3839385A227D7D');
INSERT INTO "events" VALUES(2,'prod','event-1','webhook','prompt-version','updated','project','checkout/cart',1796089593921,1796089593920,'quiet','nothing that we can see changed','69b3db0b92962ab0',1796089594061,'f8e6cad3c6c291114261648df16ee3830335907ef86410cb1be69318301f9120',NULL,X'7B226964223A226576656E742D31222C2274696D657374616D70223A22323032362D31322D30315430313A34363A33332E3932305A222C2274797065223A2270726F6D70742D76657273696F6E222C2261706956657273696F6E223A227631222C22616374696F6E223A2275706461746564222C2275736572223A7B226E616D65223A22416E6E222C22656D61696C223A22616E6E406578616D706C652E636F6D227D2C2270726F6D7074223A7B226964223A2270726F6A6563742D31222C226E616D65223A22636865636B6F75742F63617274222C2276657273696F6E223A312C2270726F6A6563744964223A2270726F6A656374222C22637265617465644279223A227531222C226C6162656C73223A5B5D2C2270726F6D7074223A2248656C6C6F222C2274797065223A2274657874222C22636F6E666967223A7B7D2C22636F6D6D69744D657373616765223A6E756C6C2C2274616773223A5B226575225D2C22637265617465644174223A22323032362D31312D33305432333A34363A33322E3036305A222C22757064617465644174223A22323032362D31322D30315430313A34363A33332E3839395A227D7D');
INSERT INTO "events" VALUES(3,'prod','event-2','webhook','prompt-version','created','project','search/rank',1796089593938,1796089593937,'routed','','69b3db0b92962ab0',1796089594061,'666d1b944444c98b2423e84dd70ae28ba368636b8f839fa7de1f57b35b95c024',NULL,X'7B226964223A226576656E742D32222C2274696D657374616D70223A22323032362D31322D30315430313A34363A33332E3933375A222C2274797065223A2270726F6D70742D76657273696F6E222C2261706956657273696F6E223A227631222C22616374696F6E223A2263726561746564222C2275736572223A7B226E616D65223A22416E6E222C22656D61696C223A22616E6E406578616D706C652E636F6D227D2C2270726F6D7074223A7B226964223A2270726F6A6563742D33222C226E616D65223A227365617263682F72616E6B222C2276657273696F6E223A312C2270726F6A6563744964223A2270726F6A656374222C22637265617465644279223A227531222C226C6162656C73223A5B226C6174657374225D2C2270726F6D7074223A2252616E6B20C3BC5C7530303030F09F9880222C2274797065223A2274657874222C22636F6E666967223A7B7D2C22636F6D6D69744D657373616765223A6E756C6C2C2274616773223A5B226575225D2C22637265617465644174223A22323032362D31322D30315430313A34363A33332E3930305A222C22757064617465644174223A22323032362D31322D30315430313A34363A33332E3930305A227D7D');
INSERT INTO "events" VALUES(4,'prod','odd','webhook','',NULL,NULL,NULL,1796089593945,NULL,'quarantined','`action` is missing or no text',NULL,NULL,'1ed030e8c3b78e194660e0a76f66be0c474ee2117a19b3c4b9ae8e904f5d37ed',NULL,X'7B226964223A20226F6464222C202274797065223A202270726F6D70742D76657273696F6E227D');
INSERT INTO "events" VALUES(5,'router','bac003ac-a6d3-4bc6-8415-ea05cb53077e','webhook','router.quarantined',NULL,NULL,NULL,1796089593973,1796089593973,'routed','','69b3db0b92962ab0',1796089593982,'c7aae6485bc603c760fc976ebc8519644a2255179e8cb888af714ca583086ec6',NULL,X'7B226964223A2262616330303361632D613664332D346263362D383431352D656130356362353330373765222C2274696D657374616D70223A22323032362D31322D30315430313A34363A33332E3937333836372B30303A3030222C2274797065223A22726F757465722E71756172616E74696E6564222C227375626A656374223A2270726F64222C226D657373616765223A22736F757263652070726F643A206576656E74206F64642063616E6E6F7420626520756E64657273746F6F6420616E6420776173207365742061736964653A2060616374696F6E60206973206D697373696E67206F72206E6F2074657874222C22636F756E74223A312C226576656E74223A226F6464227D');
INSERT INTO "events" VALUES(6,'router','7bba8c6f-5f67-48b1-a0fe-026037e28286','webhook','router.delivery_dead',NULL,NULL,NULL,1796089594169,1796089594169,'routed','','69b3db0b92962ab0',1796089594207,'9a5a7ae50f8d34cb257302ed6b8a27d450b2e6f3dd2ae08e54fcf7d8ad42825f',NULL,X'7B226964223A2237626261386336662D356636372D343862312D613066652D303236303337653238323836222C2274696D657374616D70223A22323032362D31322D30315430313A34363A33342E3136393933362B30303A3030222C2274797065223A22726F757465722E64656C69766572795F64656164222C227375626A656374223A227265667573696E67222C226D657373616765223A2264657374696E6174696F6E207265667573696E673A2064656C69766572792039613966346137343438383131303936373862636130393836663331383035302077617320676976656E2075703A204854545020343030204261642052657175657374222C22636F756E74223A312C2264656C6976657279223A223961396634613734343838313130393637386263613039383666333138303530227D');
INSERT INTO "events" VALUES(7,'prod','event-6','webhook','prompt-version','updated','project','checkout/cart',1796089594291,1796089594290,'routed','','69b3db0b92962ab0',1796089594326,'6ee18130361852d891320d81ec13b6cd4e4592b804335ce54146be898e46a715',NULL,X'7B226964223A226576656E742D36222C2274696D657374616D70223A22323032362D31322D30315430313A34363A33342E3239305A222C2274797065223A2270726F6D70742D76657273696F6E222C2261706956657273696F6E223A227631222C22616374696F6E223A2275706461746564222C2275736572223A7B226E616D65223A22416E6E222C22656D61696C223A22616E6E406578616D706C652E636F6D227D2C2270726F6D7074223A7B226964223A2270726F6A6563742D31222C226E616D65223A22636865636B6F75742F63617274222C2276657273696F6E223A312C2270726F6A6563744964223A2270726F6A656374222C22637265617465644279223A227531222C226C6162656C73223A5B2270726F64756374696F6E225D2C2270726F6D7074223A2248656C6C6F222C2274797065223A2274657874222C22636F6E666967223A7B7D2C22636F6D6D69744D657373616765223A6E756C6C2C2274616773223A5B226575225D2C22637265617465644174223A22323032362D31312D33305432333A34363A33322E3036305A222C22757064617465644174223A22323032362D31322D30315430313A34363A33332E3930315A227D7D');
INSERT INTO "events" VALUES(8,'prod','event-7','webhook','prompt-version','updated','project','checkout/cart',1796089594302,1796089594301,'routed','','69b3db0b92962ab0',1796089594326,'5e66685ac1ea25015864ffb483dda7c8cdfafec41c51c568f296cccfc6093ff6',NULL,X'7B226964223A226576656E742D37222C2274696D657374616D70223A22323032362D31322D30315430313A34363A33342E3330315A222C2274797065223A2270726F6D70742D76657273696F6E222C2261706956657273696F6E223A227631222C22616374696F6E223A2275706461746564222C2275736572223A7B226E616D65223A22416E6E222C22656D61696C223A22616E6E406578616D706C652E636F6D227D2C2270726F6D7074223A7B226964223A2270726F6A6563742D32222C226E616D65223A22636865636B6F75742F63617274222C2276657273696F6E223A322C2270726F6A6563744964223A2270726F6A656374222C22637265617465644279223A227531222C226C6162656C73223A5B226C6174657374225D2C2270726F6D7074223A2248656C6C6F207B7B6E616D657D7D222C2274797065223A2274657874222C22636F6E666967223A7B7D2C22636F6D6D69744D657373616765223A6E756C6C2C2274616773223A5B226575225D2C22637265617465644174223A22323032362D31312D33305432333A34363A33322E3036315A222C22757064617465644174223A22323032362D31322D30315430313A34363A33332E3930325A227D7D');
INSERT INTO "events" VALUES(9,'patient','event-8','webhook','prompt-version','created','project','search/later',1796089595150,1796089595149,'waiting','',NULL,NULL,'065553ca7c16f7582d2824fbe4ab7c5871263bee8ef148a0c9a8115059c96866',NULL,X'7B226964223A226576656E742D38222C2274696D657374616D70223A22323032362D31322D30315430313A34363A33352E3134395A222C2274797065223A2270726F6D70742D76657273696F6E222C2261706956657273696F6E223A227631222C22616374696F6E223A2263726561746564222C2275736572223A7B226E616D65223A22416E6E222C22656D61696C223A22616E6E406578616D706C652E636F6D227D2C2270726F6D7074223A7B226964223A2270726F6A6563742D34222C226E616D65223A227365617263682F6C61746572222C2276657273696F6E223A312C2270726F6A6563744964223A2270726F6A656374222C22637265617465644279223A227531222C226C6162656C73223A5B226C6174657374225D2C2270726F6D7074223A2257616974222C2274797065223A2274657874222C22636F6E666967223A7B7D2C22636F6D6D69744D657373616765223A6E756C6C2C2274616773223A5B5D2C22637265617465644174223A22323032362D31322D30315430313A34363A33332E3930335A222C22757064617465644174223A22323032362D31322D30315430313A34363A33332E3930335A227D7D');
CREATE TABLE firing_changes (
	change_id TEXT NOT NULL, 
	rule TEXT NOT NULL, 
	firing TEXT, 
	subject TEXT, 
	CONSTRAINT firing_changes_pkey PRIMARY KEY (change_id, rule), 
	CONSTRAINT firing_changes_held_check CHECK ((firing IS NULL) = (subject IS NOT NULL)), 
	CONSTRAINT firing_changes_change_id_fkey FOREIGN KEY(change_id) REFERENCES changes (id), 
	CONSTRAINT firing_changes_firing_fkey FOREIGN KEY(firing) REFERENCES firings (id)
);
INSERT INTO "firing_changes" VALUES('2b587afc68c858d17c94790aed37e168','promoted','19083067bc128f651a5a558f6b7684e6',NULL);
INSERT INTO "firing_changes" VALUES('16a88e487931d57cbc1d5d1890428a7e','tried','6eb0bb9a76f5817c00ab7c3d4812955c',NULL);
INSERT INTO "firing_changes" VALUES('2b587afc68c858d17c94790aed37e168','tried','f9598383a030d41f031822af1187fa7c',NULL);
INSERT INTO "firing_changes" VALUES('16a88e487931d57cbc1d5d1890428a7e','digest',NULL,'');
INSERT INTO "firing_changes" VALUES('e8e451ff90d8f3fc676dd5f44d33b7a2','promoted','3960dc40c8fa119305510389d5f7053b',NULL);
INSERT INTO "firing_changes" VALUES('e8e451ff90d8f3fc676dd5f44d33b7a2','tried','af34f9c03f2f1226bb6d90afc76220e6',NULL);
CREATE TABLE firings (
	id TEXT NOT NULL, 
	rule TEXT NOT NULL, 
	mode TEXT NOT NULL, 
	ruleset TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	CONSTRAINT firings_pkey PRIMARY KEY (id), 
	CONSTRAINT firings_mode_check CHECK (mode IN ('live', 'shadow'))
);
INSERT INTO "firings" VALUES('19083067bc128f651a5a558f6b7684e6','promoted','live','69b3db0b92962ab0',1796089594061);
INSERT INTO "firings" VALUES('f9598383a030d41f031822af1187fa7c','tried','shadow','69b3db0b92962ab0',1796089594061);
INSERT INTO "firings" VALUES('6eb0bb9a76f5817c00ab7c3d4812955c','tried','shadow','69b3db0b92962ab0',1796089594061);
INSERT INTO "firings" VALUES('3960dc40c8fa119305510389d5f7053b','promoted','live','69b3db0b92962ab0',1796089594326);
INSERT INTO "firings" VALUES('af34f9c03f2f1226bb6d90afc76220e6','tried','shadow','69b3db0b92962ab0',1796089594326);
CREATE TABLE labels (
	prompt INTEGER NOT NULL, 
	label TEXT NOT NULL, 
	version_id TEXT NOT NULL, 
	version BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	sent_at BIGINT NOT NULL, 
	CONSTRAINT labels_pkey PRIMARY KEY (prompt, label), 
	CONSTRAINT labels_prompt_fkey FOREIGN KEY(prompt) REFERENCES prompts (id)
);
INSERT INTO "labels" VALUES(1,'production','project-1',1,1796089593901,1796089594290);
INSERT INTO "labels" VALUES(1,'latest','project-2',2,1796089593902,1796089594301);
INSERT INTO "labels" VALUES(2,'latest','project-3',1,1796089593900,1796089593937);
CREATE TABLE prompts (
	id INTEGER NOT NULL, 
	source TEXT NOT NULL, 
	project_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	revision BIGINT NOT NULL, 
	tags TEXT, 
	tags_updated_at BIGINT, 
	tags_sent_at BIGINT, 
	CONSTRAINT prompts_pkey PRIMARY KEY (id), 
	CONSTRAINT prompts_source_project_id_name_key UNIQUE (source, project_id, name)
);
INSERT INTO "prompts" VALUES(1,'prod','project','checkout/cart',4,'["eu"]',1796089593902,1796089594301);
INSERT INTO "prompts" VALUES(2,'prod','project','search/rank',3,'["eu"]',1796089593900,1796089593937);
CREATE TABLE router_schema (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT router_schema_pkc PRIMARY KEY (version_num)
);
INSERT INTO "router_schema" VALUES('1.0');
CREATE TABLE rulesets (
	digest TEXT NOT NULL, 
	text TEXT NOT NULL, 
	first_used_at BIGINT NOT NULL, 
	CONSTRAINT rulesets_pkey PRIMARY KEY (digest)
);
INSERT INTO "rulesets" VALUES('69b3db0b92962ab0','{"matches":{},"rules":[{"actions":[{"to":["sink","refusing","down"]},{"thread":"prompt","to":"bot"}],"match":{"labels_gained":"production"},"name":"promoted"},{"actions":[{"to":"sink"}],"mode":"shadow","name":"tried"},{"actions":[{"to":"sink"}],"match":{"when":"prompt.config.temperature > 1"},"name":"faulty"},{"actions":[{"to":"sink"}],"collect":"3650d","match":{"action":"created"},"name":"digest"}],"times":{},"vars":{}}',1796089593767);
ANALYZE "sqlite_master";
INSERT INTO "sqlite_stat1" VALUES('events','events_waiting','1000 500 500 3 1');
INSERT INTO "sqlite_stat1" VALUES('events','events_waiting_single','100 1');
INSERT INTO "sqlite_stat1" VALUES('events','events_quarantined','100 1');
INSERT INTO "sqlite_stat1" VALUES('events','events_source_seq','1000000 300000 1');
INSERT INTO "sqlite_stat1" VALUES('events','events_prompt_seq','1000000 1000 1');
INSERT INTO "sqlite_stat1" VALUES('events','events_status_seq','1000000 200000 1');
INSERT INTO "sqlite_stat1" VALUES('events','events_received_at_source','1000000 2 1');
INSERT INTO "sqlite_stat1" VALUES('deliveries','deliveries_waiting','1000 200 200 1');
INSERT INTO "sqlite_stat1" VALUES('deliveries','deliveries_sending','50 1');
INSERT INTO "sqlite_stat1" VALUES('deliveries','deliveries_ordered','1000000 50000 100 25 1');
INSERT INTO "sqlite_stat1" VALUES('deliveries','deliveries_open','2000 200 100 1');
INSERT INTO "sqlite_stat1" VALUES('deliveries','deliveries_destination_seq','1000000 50000 1');
INSERT INTO "sqlite_stat1" VALUES('deliveries','deliveries_rule_seq','1000000 50000 1');
INSERT INTO "sqlite_stat1" VALUES('deliveries','deliveries_prompt_seq','1000000 1000 1');
INSERT INTO "sqlite_stat1" VALUES('deliveries','deliveries_status_seq','1000000 200000 1');
INSERT INTO "sqlite_stat1" VALUES('deliveries','deliveries_status_ended_at_rule_destination','1000000 200000 1 1 1');
INSERT INTO "sqlite_stat1" VALUES('firing_changes','firing_changes_held','1000 100 10');
INSERT INTO "sqlite_stat1" VALUES('firing_changes','firing_changes_firing','1000000 1');
CREATE TABLE threads (
	destination TEXT NOT NULL, 
	channel TEXT NOT NULL, 
	name TEXT NOT NULL, 
	root TEXT NOT NULL, 
	CONSTRAINT threads_pkey PRIMARY KEY (destination, channel, name)
);
INSERT INTO "threads" VALUES('bot','#prompts','prod/project/checkout/cart','1.0');
CREATE TABLE troubles (
	kind TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	told_at BIGINT NOT NULL, 
	count BIGINT NOT NULL, 
	CONSTRAINT troubles_pkey PRIMARY KEY (kind, subject)
);
INSERT INTO "troubles" VALUES('router.quarantined','prod',1796089593960,0);
INSERT INTO "troubles" VALUES('router.delivery_dead','refusing',1796089594164,1);
CREATE TABLE verdicts (
	change_id TEXT NOT NULL, 
	rule TEXT NOT NULL, 
	verdict TEXT NOT NULL, 
	clauses TEXT NOT NULL, 
	CONSTRAINT verdicts_pkey PRIMARY KEY (change_id, rule), 
	CONSTRAINT verdicts_verdict_check CHECK (verdict IN ('match', 'no', 'error', 'disabled')), 
	CONSTRAINT verdicts_change_id_fkey FOREIGN KEY(change_id) REFERENCES changes (id) ON DELETE CASCADE
);
INSERT INTO "verdicts" VALUES('2b587afc68c858d17c94790aed37e168','promoted','match','[{"clause":"labels_gained","wanted":"production","got":["latest","production"],"verdict":"yes"}]');
INSERT INTO "verdicts" VALUES('2b587afc68c858d17c94790aed37e168','tried','match','[]');
INSERT INTO "verdicts" VALUES('2b587afc68c858d17c94790aed37e168','faulty','error','[{"clause":"when","wanted":"prompt.config.temperature > 1","got":"line 1: ''temperature'' is undefined","verdict":"error"}]');
INSERT INTO "verdicts" VALUES('16a88e487931d57cbc1d5d1890428a7e','digest','match','[{"clause":"action","wanted":"created","got":"created","verdict":"yes"}]');
INSERT INTO "verdicts" VALUES('16a88e487931d57cbc1d5d1890428a7e','tried','match','[]');
INSERT INTO "verdicts" VALUES('16a88e487931d57cbc1d5d1890428a7e','faulty','error','[{"clause":"when","wanted":"prompt.config.temperature > 1","got":"line 1: ''temperature'' is undefined","verdict":"error"}]');
INSERT INTO "verdicts" VALUES('e8e451ff90d8f3fc676dd5f44d33b7a2','promoted','match','[{"clause":"labels_gained","wanted":"production","got":["production"],"verdict":"yes"}]');
INSERT INTO "verdicts" VALUES('e8e451ff90d8f3fc676dd5f44d33b7a2','tried','match','[]');
INSERT INTO "verdicts" VALUES('e8e451ff90d8f3fc676dd5f44d33b7a2','faulty','error','[{"clause":"when","wanted":"prompt.config.temperature > 1","got":"line 1: ''temperature'' is undefined","verdict":"error"}]');
CREATE TABLE versions (
	prompt INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	number BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	sent_at BIGINT NOT NULL, 
	labels TEXT, 
	labels_updated_at BIGINT, 
	labels_sent_at BIGINT, 
	created BOOLEAN NOT NULL, 
	buried BOOLEAN NOT NULL, 
	untold BOOLEAN NOT NULL, 
	content TEXT, 
	CONSTRAINT versions_pkey PRIMARY KEY (prompt, id), 
	CONSTRAINT versions_prompt_fkey FOREIGN KEY(prompt) REFERENCES prompts (id)
);
INSERT INTO "versions" VALUES(1,'project-1',1,1796089593901,1796089594290,'["production"]',1796089593901,1796089594290,1,0,0,'{"type":"text","prompt":"Hello","config":{},"commit_message":null,"created_by":"u1","created_at":"2026-11-30T23:46:32.060000Z"}');
INSERT INTO "versions" VALUES(1,'project-2',2,1796089593902,1796089594301,'["latest"]',1796089593902,1796089594301,1,0,0,'{"type":"text","prompt":"Hello {{name}}","config":{},"commit_message":null,"created_by":"u1","created_at":"2026-11-30T23:46:32.061000Z"}');
INSERT INTO "versions" VALUES(2,'project-3',1,1796089593900,1796089593937,'["latest"]',1796089593900,1796089593937,1,0,0,'{"type":"text","prompt":"Rank ü\u0000😀","config":{},"commit_message":null,"created_by":"u1","created_at":"2026-12-01T01:46:33.900000Z"}');
CREATE TABLE windows (
	rule TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	opened_at BIGINT NOT NULL, 
	due_at BIGINT, 
	CONSTRAINT windows_pkey PRIMARY KEY (rule, subject)
);
INSERT INTO "windows" VALUES('digest','',1796089594071,2111449594071);
CREATE INDEX events_quarantined ON events (seq) WHERE status = 'quarantined';
CREATE INDEX events_waiting_single ON events (seq) WHERE status = 'waiting' AND prompt IS NULL;
CREATE INDEX events_waiting ON events (source, project_id, prompt, received_at) WHERE status = 'waiting';
CREATE INDEX events_source_seq ON events (source, seq);
CREATE INDEX events_prompt_seq ON events (prompt, seq);
CREATE INDEX events_status_seq ON events (status, seq);
CREATE INDEX events_received_at_source ON events (received_at, source);
CREATE INDEX firings_rule_at ON firings (rule, at);
CREATE INDEX windows_due_at ON windows (due_at);
CREATE INDEX api_prompts_differ ON api_prompts (source) WHERE differs IS NOT NULL;
CREATE INDEX changes_at ON changes (at);
CREATE INDEX changes_event ON changes (event);
CREATE INDEX changes_prompt_happened_at ON changes (prompt, happened_at);
CREATE INDEX change_labels_label ON change_labels (label);
CREATE INDEX deliveries_open ON deliveries (destination, status, queued_at) WHERE status IN ('pending', 'retrying', 'sending', 'dead');
CREATE INDEX deliveries_ordered ON deliveries (destination, order_key, status, seq) WHERE order_key IS NOT NULL;
CREATE INDEX deliveries_sending ON deliveries (lease_until) WHERE status = 'sending';
CREATE INDEX deliveries_waiting ON deliveries (destination, type, due_at) WHERE status IN ('pending', 'retrying');
CREATE INDEX deliveries_destination_seq ON deliveries (destination, seq);
CREATE INDEX deliveries_rule_seq ON deliveries (rule, seq);
CREATE INDEX deliveries_prompt_seq ON deliveries (prompt, seq);
CREATE INDEX deliveries_status_seq ON deliveries (status, seq);
CREATE INDEX deliveries_status_ended_at_rule_destination ON deliveries (status, ended_at, rule, destination);
CREATE INDEX firing_changes_firing ON firing_changes (firing);
CREATE INDEX firing_changes_held ON firing_changes (rule, subject) WHERE firing IS NULL;
CREATE INDEX verdicts_errors ON verdicts (rule) WHERE verdict = 'error';
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',9);
INSERT INTO "sqlite_sequence" VALUES('changes',7);
INSERT INTO "sqlite_sequence" VALUES('deliveries',11);
COMMIT;
