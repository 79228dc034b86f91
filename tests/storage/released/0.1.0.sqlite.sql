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
INSERT INTO "api_sources" VALUES('prod','project',1796091084606,1796091084609,NULL);
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
INSERT INTO "attempts" VALUES(4,1,1,1796091084516,1796091084582,'accepted',200,'HTTP 200 OK','{"ok": true, "channel": "C", "ts": "1.0"}');
INSERT INTO "attempts" VALUES(3,1,1,1796091084516,1796091084550,'retry',503,'HTTP 503 Service Unavailable','ok');
INSERT INTO "attempts" VALUES(2,1,1,1796091084516,1796091084550,'rejected',400,'HTTP 400 Bad Request','ok');
INSERT INTO "attempts" VALUES(1,1,1,1796091084516,1796091084550,'accepted',200,'HTTP 200 OK','ok');
INSERT INTO "attempts" VALUES(9,1,1,1796091084663,1796091084675,'retry',503,'HTTP 503 Service Unavailable','ok');
INSERT INTO "attempts" VALUES(8,1,1,1796091084663,1796091084673,'rejected',400,'HTTP 400 Bad Request','ok');
INSERT INTO "attempts" VALUES(7,1,1,1796091084663,NULL,NULL,NULL,'','');
INSERT INTO "attempts" VALUES(10,1,1,1796091085522,1796091085528,'accepted',200,'HTTP 200 OK','{"ok": true, "channel": "C", "ts": "1.0"}');
CREATE TABLE change_labels (
	change_id TEXT NOT NULL, 
	label TEXT NOT NULL, 
	CONSTRAINT change_labels_pkey PRIMARY KEY (change_id, label), 
	CONSTRAINT change_labels_change_id_fkey FOREIGN KEY(change_id) REFERENCES changes (id) ON DELETE CASCADE
);
INSERT INTO "change_labels" VALUES('0458d6afcc27765eaad0cd1de04e6b51','latest');
INSERT INTO "change_labels" VALUES('0458d6afcc27765eaad0cd1de04e6b51','production');
INSERT INTO "change_labels" VALUES('b1568466bdca082437e8e4e1e250e493','latest');
INSERT INTO "change_labels" VALUES('3f796c557ab59bc4690100b7b7328761','production');
INSERT INTO "change_labels" VALUES('fec29ff3cde363811b2249917ac81850','production');
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
INSERT INTO "changes" VALUES(1,'fe141e0447635135b7ebcc148d8d1c6a',5,NULL,NULL,NULL,'router.quarantined',NULL,'webhook',NULL,1796091084404,'{}',1796091084408);
INSERT INTO "changes" VALUES(2,'0458d6afcc27765eaad0cd1de04e6b51',1,1,'project-2',2,'prompt-version','updated','webhook','Ann',1796091084337,'{"version":{"id":"project-2","number":2,"labels":["latest","production"],"tags":["eu"],"updated_at":"2026-12-01T02:11:24.337000Z","content":null},"labels_gained":["latest","production"],"tags_gained":["eu"],"assumed":true}',1796091084484);
INSERT INTO "changes" VALUES(3,'c80422fd01d67b0d0f1a6beef6f70ad8',2,1,'project-1',1,'prompt-version','updated','webhook','Ann',1796091084338,'{"version":{"id":"project-1","number":1,"labels":[],"tags":["eu"],"updated_at":"2026-12-01T02:11:24.338000Z","content":null},"quiet":true}',1796091084484);
INSERT INTO "changes" VALUES(4,'b1568466bdca082437e8e4e1e250e493',3,2,'project-3',1,'prompt-version','created','webhook','Ann',1796091084339,'{"version":{"id":"project-3","number":1,"labels":["latest"],"tags":["eu"],"updated_at":"2026-12-01T02:11:24.339000Z","content":null},"labels_gained":["latest"],"tags_gained":["eu"]}',1796091084484);
INSERT INTO "changes" VALUES(5,'a185bad88bce629982ecc3b6f2f41943',6,NULL,NULL,NULL,'router.delivery_dead',NULL,'webhook',NULL,1796091084565,'{}',1796091084569);
INSERT INTO "changes" VALUES(6,'3f796c557ab59bc4690100b7b7328761',7,1,'project-1',1,'prompt-version','updated','webhook','Ann',1796091084340,'{"version":{"id":"project-1","number":1,"labels":["production"],"tags":["eu"],"updated_at":"2026-12-01T02:11:24.340000Z","content":null},"labels_gained":["production"],"moved":[{"label":"production","from":2,"to":1}],"replaced":{"production":{"id":"project-2","number":2,"labels":["latest","production"],"tags":["eu"],"updated_at":"2026-12-01T02:11:24.337000Z","content":null}}}',1796091084651);
INSERT INTO "changes" VALUES(7,'fec29ff3cde363811b2249917ac81850',8,1,'project-2',2,'prompt-version','updated','webhook','Ann',1796091084341,'{"version":{"id":"project-2","number":2,"labels":["latest"],"tags":["eu"],"updated_at":"2026-12-01T02:11:24.341000Z","content":null},"labels_lost":["production"],"half":true}',1796091084651);
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
	arrived_at BIGINT, 
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
INSERT INTO "deliveries" VALUES(1,'0ce6ce9f1fe034dbf7abe8282323f205','7f02339e55e53b9d85ce412cfa309569','promoted','d979ffd9db2bb16f',0,'sink','http','delivered','HTTP 200 OK',1,0,1796091084365,1796091084501,1796091084501,1796091084501,1796091084550,1,1,NULL,NULL,NULL,0,NULL,'{"type":"http","method":"POST","path":"","query":{},"headers":{},"body":{"type":"json","value":{"event":{"id":"event-0","type":"prompt-version","action":"updated","source":"prod","origin":"webhook","timestamp":"2026-12-01T02:11:24.345Z","user":{"name":"Ann","email":"ann@example.com"},"replay":false},"prompt":{"name":"checkout/cart","folder":"checkout","version":2,"labels":["latest","production"],"tags":["eu"],"type":"text","text":"Hello {{name}}","messages":[],"config":{},"variables":["name"],"commit_message":null,"created_by":"u1","project_id":"project","created_at":"2026-12-01T00:11:22.912Z","updated_at":"2026-12-01T02:11:24.337Z","url":null},"author":"Ann","label":"production","change":{"labels_gained":["latest","production"],"labels_lost":[],"labels_removed":[],"tags_gained":["eu"],"tags_lost":[],"moved":[],"moved_from":null,"rollback":false,"versions_left":null,"assumed":true,"quiet":false,"previous":null,"diff":"","config_diff":"","added":0,"removed":0,"variables_gained":[],"variables_lost":[]},"rule":{"name":"promoted","description":""}}},"status":[],"where":[],"templated_path":false}');
INSERT INTO "deliveries" VALUES(2,'f228f4060fc264fd3ebeebfd804349d1','7f02339e55e53b9d85ce412cfa309569','promoted','d979ffd9db2bb16f',0,'refusing','http','dead','HTTP 400 Bad Request',1,0,1796091084365,1796091084501,1796091084501,1796091084501,1796091084550,1,1,NULL,NULL,NULL,0,NULL,'{"type":"http","method":"POST","path":"","query":{},"headers":{},"body":{"type":"json","value":{"event":{"id":"event-0","type":"prompt-version","action":"updated","source":"prod","origin":"webhook","timestamp":"2026-12-01T02:11:24.345Z","user":{"name":"Ann","email":"ann@example.com"},"replay":false},"prompt":{"name":"checkout/cart","folder":"checkout","version":2,"labels":["latest","production"],"tags":["eu"],"type":"text","text":"Hello {{name}}","messages":[],"config":{},"variables":["name"],"commit_message":null,"created_by":"u1","project_id":"project","created_at":"2026-12-01T00:11:22.912Z","updated_at":"2026-12-01T02:11:24.337Z","url":null},"author":"Ann","label":"production","change":{"labels_gained":["latest","production"],"labels_lost":[],"labels_removed":[],"tags_gained":["eu"],"tags_lost":[],"moved":[],"moved_from":null,"rollback":false,"versions_left":null,"assumed":true,"quiet":false,"previous":null,"diff":"","config_diff":"","added":0,"removed":0,"variables_gained":[],"variables_lost":[]},"rule":{"name":"promoted","description":""}}},"status":[],"where":[],"templated_path":false}');
INSERT INTO "deliveries" VALUES(3,'b9b01873c93ded07c303c6120e7fa393','7f02339e55e53b9d85ce412cfa309569','promoted','d979ffd9db2bb16f',0,'down','http','retrying','HTTP 503 Service Unavailable',1,0,1796091084365,1796091084501,1796091084501,1796094710034,NULL,1,1,NULL,NULL,NULL,0,NULL,'{"type":"http","method":"POST","path":"","query":{},"headers":{},"body":{"type":"json","value":{"event":{"id":"event-0","type":"prompt-version","action":"updated","source":"prod","origin":"webhook","timestamp":"2026-12-01T02:11:24.345Z","user":{"name":"Ann","email":"ann@example.com"},"replay":false},"prompt":{"name":"checkout/cart","folder":"checkout","version":2,"labels":["latest","production"],"tags":["eu"],"type":"text","text":"Hello {{name}}","messages":[],"config":{},"variables":["name"],"commit_message":null,"created_by":"u1","project_id":"project","created_at":"2026-12-01T00:11:22.912Z","updated_at":"2026-12-01T02:11:24.337Z","url":null},"author":"Ann","label":"production","change":{"labels_gained":["latest","production"],"labels_lost":[],"labels_removed":[],"tags_gained":["eu"],"tags_lost":[],"moved":[],"moved_from":null,"rollback":false,"versions_left":null,"assumed":true,"quiet":false,"previous":null,"diff":"","config_diff":"","added":0,"removed":0,"variables_gained":[],"variables_lost":[]},"rule":{"name":"promoted","description":""}}},"status":[],"where":[],"templated_path":false}');
INSERT INTO "deliveries" VALUES(4,'86bfa419a348362cbca1910aeb4f278a','7f02339e55e53b9d85ce412cfa309569','promoted','76ad6be7c86d25c9',1,'bot','slack','delivered','HTTP 200 OK',1,0,1796091084365,1796091084501,1796091084501,1796091084501,1796091084582,1,1,NULL,'prod/project/checkout/cart',NULL,0,NULL,'{"type":"slack","text":"checkout/cart: production set on v2; tags +eu (Ann)","plain":true,"channel":"#prompts","templated_channel":false,"thread":"prod/project/checkout/cart","blocks":[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"checkout/cart","style":{"bold":true}},{"type":"text","text":"  production set on v2; tags +eu"}]},{"type":"rich_text_section","elements":[{"type":"text","text":"by Ann"},{"type":"text","text":" · labels:"},{"type":"text","text":" "},{"type":"text","text":"+latest","style":{"bold":true}},{"type":"text","text":" "},{"type":"text","text":"+production","style":{"bold":true}},{"type":"text","text":" · tags:"},{"type":"text","text":" "},{"type":"text","text":"+eu","style":{"bold":true}},{"type":"text","text":" · first sight of this version: what it held before is not known"}]}]}],"color":null}');
INSERT INTO "deliveries" VALUES(5,'9f61281cd52ffcc37632afb96a6186d8','665627c7b74706f4fbd538383054f81a','tried','5dc943c094e0d0c3',0,'sink','http','captured','',1,0,1796091084365,1796091084501,1796091084501,1796091084501,NULL,0,0,NULL,NULL,NULL,0,NULL,'{"type":"http","method":"POST","path":"","query":{},"headers":{},"body":{"type":"json","value":{"event":{"id":"event-0","type":"prompt-version","action":"updated","source":"prod","origin":"webhook","timestamp":"2026-12-01T02:11:24.345Z","user":{"name":"Ann","email":"ann@example.com"},"replay":false},"prompt":{"name":"checkout/cart","folder":"checkout","version":2,"labels":["latest","production"],"tags":["eu"],"type":"text","text":"Hello {{name}}","messages":[],"config":{},"variables":["name"],"commit_message":null,"created_by":"u1","project_id":"project","created_at":"2026-12-01T00:11:22.912Z","updated_at":"2026-12-01T02:11:24.337Z","url":null},"author":"Ann","label":"production","change":{"labels_gained":["latest","production"],"labels_lost":[],"labels_removed":[],"tags_gained":["eu"],"tags_lost":[],"moved":[],"moved_from":null,"rollback":false,"versions_left":null,"assumed":true,"quiet":false,"previous":null,"diff":"","config_diff":"","added":0,"removed":0,"variables_gained":[],"variables_lost":[]},"rule":{"name":"tried","description":""}}},"status":[],"where":[],"templated_path":false}');
INSERT INTO "deliveries" VALUES(6,'a6d2839a6275fd7e9622b89975fe95aa','339f7ad1e0f93bc63a8fee5dd66cf684','tried','5dc943c094e0d0c3',0,'sink','http','captured','',2,0,1796091084391,1796091084501,1796091084501,1796091084501,NULL,0,0,NULL,NULL,NULL,0,NULL,'{"type":"http","method":"POST","path":"","query":{},"headers":{},"body":{"type":"json","value":{"event":{"id":"event-2","type":"prompt-version","action":"created","source":"prod","origin":"webhook","timestamp":"2026-12-01T02:11:24.390Z","user":{"name":"Ann","email":"ann@example.com"},"replay":false},"prompt":{"name":"search/rank","folder":"search","version":1,"labels":["latest"],"tags":["eu"],"type":"text","text":"Rank ü\u0000😀","messages":[],"config":{},"variables":[],"commit_message":null,"created_by":"u1","project_id":"project","created_at":"2026-12-01T02:11:24.339Z","updated_at":"2026-12-01T02:11:24.339Z","url":null},"author":"Ann","label":"latest","change":{"labels_gained":["latest"],"labels_lost":[],"labels_removed":[],"tags_gained":["eu"],"tags_lost":[],"moved":[],"moved_from":null,"rollback":false,"versions_left":null,"assumed":false,"quiet":false,"previous":null,"diff":"","config_diff":"","added":0,"removed":0,"variables_gained":[],"variables_lost":[]},"rule":{"name":"tried","description":""}}},"status":[],"where":[],"templated_path":false}');
INSERT INTO "deliveries" VALUES(7,'2869f991fbc50724ba9c5d66d508f1ad','831d58b81448f6ae78eda165dfa603a0','promoted','d979ffd9db2bb16f',0,'sink','http','sending','',1,0,1796091084628,1796091084654,1796091084654,1796091084654,NULL,1,1,1796091414663,NULL,NULL,0,NULL,'{"type":"http","method":"POST","path":"","query":{},"headers":{},"body":{"type":"json","value":{"event":{"id":"event-6","type":"prompt-version","action":"updated","source":"prod","origin":"webhook","timestamp":"2026-12-01T02:11:24.627Z","user":{"name":"Ann","email":"ann@example.com"},"replay":false},"prompt":{"name":"checkout/cart","folder":"checkout","version":1,"labels":["production"],"tags":["eu"],"type":"text","text":"Hello","messages":[],"config":{},"variables":[],"commit_message":null,"created_by":"u1","project_id":"project","created_at":"2026-12-01T00:11:22.911Z","updated_at":"2026-12-01T02:11:24.340Z","url":null},"author":"Ann","label":"production","change":{"labels_gained":["production"],"labels_lost":[],"labels_removed":[],"tags_gained":[],"tags_lost":[],"moved":[{"label":"production","from":2,"to":1}],"moved_from":2,"rollback":true,"versions_left":null,"assumed":false,"quiet":false,"previous":{"version":2,"text":"Hello {{name}}","labels":["latest","production"],"config":{},"commit_message":null,"created_at":"2026-12-01T00:11:22.912Z"},"diff":"@@ -1 +1 @@\n-Hello {{name}}\n+Hello","config_diff":"","added":1,"removed":1,"variables_gained":[],"variables_lost":["name"]},"rule":{"name":"promoted","description":""}}},"status":[],"where":[],"templated_path":false}');
INSERT INTO "deliveries" VALUES(8,'58297a39eb89805396708f69793019b4','831d58b81448f6ae78eda165dfa603a0','promoted','d979ffd9db2bb16f',0,'refusing','http','dead','HTTP 400 Bad Request',1,0,1796091084628,1796091084654,1796091084654,1796091084654,1796091084673,1,1,NULL,NULL,NULL,0,NULL,'{"type":"http","method":"POST","path":"","query":{},"headers":{},"body":{"type":"json","value":{"event":{"id":"event-6","type":"prompt-version","action":"updated","source":"prod","origin":"webhook","timestamp":"2026-12-01T02:11:24.627Z","user":{"name":"Ann","email":"ann@example.com"},"replay":false},"prompt":{"name":"checkout/cart","folder":"checkout","version":1,"labels":["production"],"tags":["eu"],"type":"text","text":"Hello","messages":[],"config":{},"variables":[],"commit_message":null,"created_by":"u1","project_id":"project","created_at":"2026-12-01T00:11:22.911Z","updated_at":"2026-12-01T02:11:24.340Z","url":null},"author":"Ann","label":"production","change":{"labels_gained":["production"],"labels_lost":[],"labels_removed":[],"tags_gained":[],"tags_lost":[],"moved":[{"label":"production","from":2,"to":1}],"moved_from":2,"rollback":true,"versions_left":null,"assumed":false,"quiet":false,"previous":{"version":2,"text":"Hello {{name}}","labels":["latest","production"],"config":{},"commit_message":null,"created_at":"2026-12-01T00:11:22.912Z"},"diff":"@@ -1 +1 @@\n-Hello {{name}}\n+Hello","config_diff":"","added":1,"removed":1,"variables_gained":[],"variables_lost":["name"]},"rule":{"name":"promoted","description":""}}},"status":[],"where":[],"templated_path":false}');
INSERT INTO "deliveries" VALUES(9,'7280915de55287c750cdc35355d1d594','831d58b81448f6ae78eda165dfa603a0','promoted','d979ffd9db2bb16f',0,'down','http','retrying','HTTP 503 Service Unavailable',1,0,1796091084628,1796091084654,1796091084654,1796094887083,NULL,1,1,NULL,NULL,NULL,0,NULL,'{"type":"http","method":"POST","path":"","query":{},"headers":{},"body":{"type":"json","value":{"event":{"id":"event-6","type":"prompt-version","action":"updated","source":"prod","origin":"webhook","timestamp":"2026-12-01T02:11:24.627Z","user":{"name":"Ann","email":"ann@example.com"},"replay":false},"prompt":{"name":"checkout/cart","folder":"checkout","version":1,"labels":["production"],"tags":["eu"],"type":"text","text":"Hello","messages":[],"config":{},"variables":[],"commit_message":null,"created_by":"u1","project_id":"project","created_at":"2026-12-01T00:11:22.911Z","updated_at":"2026-12-01T02:11:24.340Z","url":null},"author":"Ann","label":"production","change":{"labels_gained":["production"],"labels_lost":[],"labels_removed":[],"tags_gained":[],"tags_lost":[],"moved":[{"label":"production","from":2,"to":1}],"moved_from":2,"rollback":true,"versions_left":null,"assumed":false,"quiet":false,"previous":{"version":2,"text":"Hello {{name}}","labels":["latest","production"],"config":{},"commit_message":null,"created_at":"2026-12-01T00:11:22.912Z"},"diff":"@@ -1 +1 @@\n-Hello {{name}}\n+Hello","config_diff":"","added":1,"removed":1,"variables_gained":[],"variables_lost":["name"]},"rule":{"name":"promoted","description":""}}},"status":[],"where":[],"templated_path":false}');
INSERT INTO "deliveries" VALUES(10,'94a30eec41d9f9f0c0e2c77d19817bcd','831d58b81448f6ae78eda165dfa603a0','promoted','76ad6be7c86d25c9',1,'bot','slack','delivered','HTTP 200 OK',1,0,1796091084628,1796091084654,1796091084654,1796091084654,1796091085528,1,1,NULL,'prod/project/checkout/cart',NULL,0,NULL,'{"type":"slack","text":"checkout/cart: production rolled back v2 → v1 (Ann)","plain":true,"channel":"#prompts","templated_channel":false,"thread":"prod/project/checkout/cart","blocks":[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"checkout/cart","style":{"bold":true}},{"type":"text","text":"  production rolled back v2 → v1"}]},{"type":"rich_text_section","elements":[{"type":"text","text":"⚠ variable gone: name (callers need not pass it any more)"}]},{"type":"rich_text_preformatted","elements":[{"type":"text","text":"@@ -1 +1 @@\n-Hello {{name}}\n+Hello"}]},{"type":"rich_text_section","elements":[{"type":"text","text":"by Ann"},{"type":"text","text":" · labels:"},{"type":"text","text":" "},{"type":"text","text":"+production","style":{"bold":true}},{"type":"text","text":" · tags:"},{"type":"text","text":" "},{"type":"text","text":"eu"},{"type":"text","text":" · text against v2: +1 −1 lines"}]}]}],"color":null}');
INSERT INTO "deliveries" VALUES(11,'588cc17c24f953f4611eb9939c5d6bc6','ecf5dbca538ef96bb79032962ff3e9de','tried','5dc943c094e0d0c3',0,'sink','http','captured','',1,0,1796091084628,1796091084654,1796091084654,1796091084654,NULL,0,0,NULL,NULL,NULL,0,NULL,'{"type":"http","method":"POST","path":"","query":{},"headers":{},"body":{"type":"json","value":{"event":{"id":"event-6","type":"prompt-version","action":"updated","source":"prod","origin":"webhook","timestamp":"2026-12-01T02:11:24.627Z","user":{"name":"Ann","email":"ann@example.com"},"replay":false},"prompt":{"name":"checkout/cart","folder":"checkout","version":1,"labels":["production"],"tags":["eu"],"type":"text","text":"Hello","messages":[],"config":{},"variables":[],"commit_message":null,"created_by":"u1","project_id":"project","created_at":"2026-12-01T00:11:22.911Z","updated_at":"2026-12-01T02:11:24.340Z","url":null},"author":"Ann","label":"production","change":{"labels_gained":["production"],"labels_lost":[],"labels_removed":[],"tags_gained":[],"tags_lost":[],"moved":[{"label":"production","from":2,"to":1}],"moved_from":2,"rollback":true,"versions_left":null,"assumed":false,"quiet":false,"previous":{"version":2,"text":"Hello {{name}}","labels":["latest","production"],"config":{},"commit_message":null,"created_at":"2026-12-01T00:11:22.912Z"},"diff":"@@ -1 +1 @@\n-Hello {{name}}\n+Hello","config_diff":"","added":1,"removed":1,"variables_gained":[],"variables_lost":["name"]},"rule":{"name":"tried","description":""}}},"status":[],"where":[],"templated_path":false}');
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
INSERT INTO "destinations" VALUES('bot','slack',1,NULL,NULL,'{"rate":{"count":1,"per":"PT1S"},"spent":[[1796091085522,1]]}');
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
INSERT INTO "events" VALUES(1,'prod','event-0','webhook','prompt-version','updated','project','checkout/cart',1796091084365,1796091084345,'routed','','69b3db0b92962ab0',1796091084484,'fbe73982d7f4086c2c2719904c81920b2bca7f502e38f342e48f22b4cf9ea4e5',NULL,X'7B226964223A226576656E742D30222C2274696D657374616D70223A22323032362D31322D30315430323A31313A32342E3334355A222C2274797065223A2270726F6D70742D76657273696F6E222C2261706956657273696F6E223A227631222C22616374696F6E223A2275706461746564222C2275736572223A7B226E616D65223A22416E6E222C22656D61696C223A22616E6E406578616D706C652E636F6D227D2C2270726F6D7074223A7B226964223A2270726F6A6563742D32222C226E616D65223A22636865636B6F75742F63617274222C2276657273696F6E223A322C2270726F6A6563744964223A2270726F6A656374222C22637265617465644279223A227531222C226C6162656C73223A5B2270726F64756374696F6E222C226C6174657374225D2C2270726F6D7074223A2248656C6C6F207B7B6E616D657D7D222C2274797065223A2274657874222C22636F6E666967223A7B7D2C22636F6D6D69744D657373616765223A6E756C6C2C2274616773223A5B226575225D2C22637265617465644174223A22323032362D31322D30315430303A31313A32322E3931325A222C22757064617465644174223A22323032362D31322D30315430323A31313A32342E3333375A227D7D');
INSERT INTO "events" VALUES(2,'prod','event-1','webhook','prompt-version','updated','project','checkout/cart',1796091084381,1796091084379,'quiet','nothing that we can see changed','69b3db0b92962ab0',1796091084484,'e766554dcf14bb8fa2a0013a365bb3d338fe456ae3a9a1e4443162fb29aea42a',NULL,X'7B226964223A226576656E742D31222C2274696D657374616D70223A22323032362D31322D30315430323A31313A32342E3337395A222C2274797065223A2270726F6D70742D76657273696F6E222C2261706956657273696F6E223A227631222C22616374696F6E223A2275706461746564222C2275736572223A7B226E616D65223A22416E6E222C22656D61696C223A22616E6E406578616D706C652E636F6D227D2C2270726F6D7074223A7B226964223A2270726F6A6563742D31222C226E616D65223A22636865636B6F75742F63617274222C2276657273696F6E223A312C2270726F6A6563744964223A2270726F6A656374222C22637265617465644279223A227531222C226C6162656C73223A5B5D2C2270726F6D7074223A2248656C6C6F222C2274797065223A2274657874222C22636F6E666967223A7B7D2C22636F6D6D69744D657373616765223A6E756C6C2C2274616773223A5B226575225D2C22637265617465644174223A22323032362D31322D30315430303A31313A32322E3931315A222C22757064617465644174223A22323032362D31322D30315430323A31313A32342E3333385A227D7D');
INSERT INTO "events" VALUES(3,'prod','event-2','webhook','prompt-version','created','project','search/rank',1796091084391,1796091084390,'routed','','69b3db0b92962ab0',1796091084484,'5c44d292d51f002f8fc1cdd47171a2e28129bf33ee79ff2a628fe9b8d1281e05',NULL,X'7B226964223A226576656E742D32222C2274696D657374616D70223A22323032362D31322D30315430323A31313A32342E3339305A222C2274797065223A2270726F6D70742D76657273696F6E222C2261706956657273696F6E223A227631222C22616374696F6E223A2263726561746564222C2275736572223A7B226E616D65223A22416E6E222C22656D61696C223A22616E6E406578616D706C652E636F6D227D2C2270726F6D7074223A7B226964223A2270726F6A6563742D33222C226E616D65223A227365617263682F72616E6B222C2276657273696F6E223A312C2270726F6A6563744964223A2270726F6A656374222C22637265617465644279223A227531222C226C6162656C73223A5B226C6174657374225D2C2270726F6D7074223A2252616E6B20C3BC5C7530303030F09F9880222C2274797065223A2274657874222C22636F6E666967223A7B7D2C22636F6D6D69744D657373616765223A6E756C6C2C2274616773223A5B226575225D2C22637265617465644174223A22323032362D31322D30315430323A31313A32342E3333395A222C22757064617465644174223A22323032362D31322D30315430323A31313A32342E3333395A227D7D');
INSERT INTO "events" VALUES(4,'prod','odd','webhook','',NULL,NULL,NULL,1796091084394,NULL,'quarantined','`action` is missing or no text',NULL,NULL,'1ed030e8c3b78e194660e0a76f66be0c474ee2117a19b3c4b9ae8e904f5d37ed',NULL,X'7B226964223A20226F6464222C202274797065223A202270726F6D70742D76657273696F6E227D');
INSERT INTO "events" VALUES(5,'router','5a5b0e63-da52-4760-911f-c01c27238d5b','webhook','router.quarantined',NULL,NULL,NULL,1796091084404,1796091084404,'routed','','69b3db0b92962ab0',1796091084408,'e2ee694549593ee9d0e18c6ac64fff12ee2300e6b4692e240a2ed2f9bcb987d5',NULL,X'7B226964223A2235613562306536332D646135322D343736302D393131662D633031633237323338643562222C2274696D657374616D70223A22323032362D31322D30315430323A31313A32342E3430343436392B30303A3030222C2274797065223A22726F757465722E71756172616E74696E6564222C227375626A656374223A2270726F64222C226D657373616765223A22736F757263652070726F643A206576656E74206F64642063616E6E6F7420626520756E64657273746F6F6420616E6420776173207365742061736964653A2060616374696F6E60206973206D697373696E67206F72206E6F2074657874222C22636F756E74223A312C226576656E74223A226F6464227D');
INSERT INTO "events" VALUES(6,'router','a329a0de-a326-4288-adc5-9459ba2c9980','webhook','router.delivery_dead',NULL,NULL,NULL,1796091084565,1796091084565,'routed','','69b3db0b92962ab0',1796091084569,'0dfa24f1f31e23c818d1216c653283ad537aa647bddb35a6406c8f90a6938506',NULL,X'7B226964223A2261333239613064652D613332362D343238382D616463352D393435396261326339393830222C2274696D657374616D70223A22323032362D31322D30315430323A31313A32342E3536353835302B30303A3030222C2274797065223A22726F757465722E64656C69766572795F64656164222C227375626A656374223A227265667573696E67222C226D657373616765223A2264657374696E6174696F6E207265667573696E673A2064656C69766572792066323238663430363066633236346664336562656562666438303433343964312077617320676976656E2075703A204854545020343030204261642052657175657374222C22636F756E74223A312C2264656C6976657279223A226632323866343036306663323634666433656265656266643830343334396431227D');
INSERT INTO "events" VALUES(7,'prod','event-6','webhook','prompt-version','updated','project','checkout/cart',1796091084628,1796091084627,'routed','','69b3db0b92962ab0',1796091084651,'12f5a0e549214d2dcfa41578cd0eccfa38ada83f4b3d4e7aa201e4710bc0fff3',NULL,X'7B226964223A226576656E742D36222C2274696D657374616D70223A22323032362D31322D30315430323A31313A32342E3632375A222C2274797065223A2270726F6D70742D76657273696F6E222C2261706956657273696F6E223A227631222C22616374696F6E223A2275706461746564222C2275736572223A7B226E616D65223A22416E6E222C22656D61696C223A22616E6E406578616D706C652E636F6D227D2C2270726F6D7074223A7B226964223A2270726F6A6563742D31222C226E616D65223A22636865636B6F75742F63617274222C2276657273696F6E223A312C2270726F6A6563744964223A2270726F6A656374222C22637265617465644279223A227531222C226C6162656C73223A5B2270726F64756374696F6E225D2C2270726F6D7074223A2248656C6C6F222C2274797065223A2274657874222C22636F6E666967223A7B7D2C22636F6D6D69744D657373616765223A6E756C6C2C2274616773223A5B226575225D2C22637265617465644174223A22323032362D31322D30315430303A31313A32322E3931315A222C22757064617465644174223A22323032362D31322D30315430323A31313A32342E3334305A227D7D');
INSERT INTO "events" VALUES(8,'prod','event-7','webhook','prompt-version','updated','project','checkout/cart',1796091084636,1796091084635,'routed','','69b3db0b92962ab0',1796091084651,'1c880779d10d941079103bf602664ec3a0ab1237a196b7dd7f441f391b313630',NULL,X'7B226964223A226576656E742D37222C2274696D657374616D70223A22323032362D31322D30315430323A31313A32342E3633355A222C2274797065223A2270726F6D70742D76657273696F6E222C2261706956657273696F6E223A227631222C22616374696F6E223A2275706461746564222C2275736572223A7B226E616D65223A22416E6E222C22656D61696C223A22616E6E406578616D706C652E636F6D227D2C2270726F6D7074223A7B226964223A2270726F6A6563742D32222C226E616D65223A22636865636B6F75742F63617274222C2276657273696F6E223A322C2270726F6A6563744964223A2270726F6A656374222C22637265617465644279223A227531222C226C6162656C73223A5B226C6174657374225D2C2270726F6D7074223A2248656C6C6F207B7B6E616D657D7D222C2274797065223A2274657874222C22636F6E666967223A7B7D2C22636F6D6D69744D657373616765223A6E756C6C2C2274616773223A5B226575225D2C22637265617465644174223A22323032362D31322D30315430303A31313A32322E3931325A222C22757064617465644174223A22323032362D31322D30315430323A31313A32342E3334315A227D7D');
INSERT INTO "events" VALUES(9,'patient','event-8','webhook','prompt-version','created','project','search/later',1796091085571,1796091085570,'waiting','',NULL,NULL,'b6551dabef652750e4261e44963ae57d8a7fa78346fa23469dca9340d3bcdb2d',NULL,X'7B226964223A226576656E742D38222C2274696D657374616D70223A22323032362D31322D30315430323A31313A32352E3537305A222C2274797065223A2270726F6D70742D76657273696F6E222C2261706956657273696F6E223A227631222C22616374696F6E223A2263726561746564222C2275736572223A7B226E616D65223A22416E6E222C22656D61696C223A22616E6E406578616D706C652E636F6D227D2C2270726F6D7074223A7B226964223A2270726F6A6563742D34222C226E616D65223A227365617263682F6C61746572222C2276657273696F6E223A312C2270726F6A6563744964223A2270726F6A656374222C22637265617465644279223A227531222C226C6162656C73223A5B226C6174657374225D2C2270726F6D7074223A2257616974222C2274797065223A2274657874222C22636F6E666967223A7B7D2C22636F6D6D69744D657373616765223A6E756C6C2C2274616773223A5B5D2C22637265617465644174223A22323032362D31322D30315430323A31313A32342E3334325A222C22757064617465644174223A22323032362D31322D30315430323A31313A32342E3334325A227D7D');
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
INSERT INTO "firing_changes" VALUES('b1568466bdca082437e8e4e1e250e493','tried','339f7ad1e0f93bc63a8fee5dd66cf684',NULL);
INSERT INTO "firing_changes" VALUES('0458d6afcc27765eaad0cd1de04e6b51','tried','665627c7b74706f4fbd538383054f81a',NULL);
INSERT INTO "firing_changes" VALUES('0458d6afcc27765eaad0cd1de04e6b51','promoted','7f02339e55e53b9d85ce412cfa309569',NULL);
INSERT INTO "firing_changes" VALUES('b1568466bdca082437e8e4e1e250e493','digest',NULL,'');
INSERT INTO "firing_changes" VALUES('3f796c557ab59bc4690100b7b7328761','promoted','831d58b81448f6ae78eda165dfa603a0',NULL);
INSERT INTO "firing_changes" VALUES('3f796c557ab59bc4690100b7b7328761','tried','ecf5dbca538ef96bb79032962ff3e9de',NULL);
CREATE TABLE firings (
	id TEXT NOT NULL, 
	rule TEXT NOT NULL, 
	mode TEXT NOT NULL, 
	ruleset TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	CONSTRAINT firings_pkey PRIMARY KEY (id), 
	CONSTRAINT firings_mode_check CHECK (mode IN ('live', 'shadow'))
);
INSERT INTO "firings" VALUES('7f02339e55e53b9d85ce412cfa309569','promoted','live','69b3db0b92962ab0',1796091084484);
INSERT INTO "firings" VALUES('665627c7b74706f4fbd538383054f81a','tried','shadow','69b3db0b92962ab0',1796091084484);
INSERT INTO "firings" VALUES('339f7ad1e0f93bc63a8fee5dd66cf684','tried','shadow','69b3db0b92962ab0',1796091084484);
INSERT INTO "firings" VALUES('831d58b81448f6ae78eda165dfa603a0','promoted','live','69b3db0b92962ab0',1796091084651);
INSERT INTO "firings" VALUES('ecf5dbca538ef96bb79032962ff3e9de','tried','shadow','69b3db0b92962ab0',1796091084651);
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
INSERT INTO "labels" VALUES(1,'latest','project-2',2,1796091084341,1796091084635);
INSERT INTO "labels" VALUES(1,'production','project-1',1,1796091084340,1796091084627);
INSERT INTO "labels" VALUES(2,'latest','project-3',1,1796091084339,1796091084390);
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
INSERT INTO "prompts" VALUES(1,'prod','project','checkout/cart',4,'["eu"]',1796091084341,1796091084635);
INSERT INTO "prompts" VALUES(2,'prod','project','search/rank',3,'["eu"]',1796091084339,1796091084390);
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
INSERT INTO "rulesets" VALUES('69b3db0b92962ab0','{"matches":{},"rules":[{"actions":[{"to":["sink","refusing","down"]},{"thread":"prompt","to":"bot"}],"match":{"labels_gained":"production"},"name":"promoted"},{"actions":[{"to":"sink"}],"mode":"shadow","name":"tried"},{"actions":[{"to":"sink"}],"match":{"when":"prompt.config.temperature > 1"},"name":"faulty"},{"actions":[{"to":"sink"}],"collect":"3650d","match":{"action":"created"},"name":"digest"}],"times":{},"vars":{}}',1796091084288);
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
INSERT INTO "troubles" VALUES('router.quarantined','prod',1796091084402,0);
INSERT INTO "troubles" VALUES('router.delivery_dead','refusing',1796091084563,1);
CREATE TABLE verdicts (
	change_id TEXT NOT NULL, 
	rule TEXT NOT NULL, 
	verdict TEXT NOT NULL, 
	clauses TEXT NOT NULL, 
	CONSTRAINT verdicts_pkey PRIMARY KEY (change_id, rule), 
	CONSTRAINT verdicts_verdict_check CHECK (verdict IN ('match', 'no', 'error', 'disabled')), 
	CONSTRAINT verdicts_change_id_fkey FOREIGN KEY(change_id) REFERENCES changes (id) ON DELETE CASCADE
);
INSERT INTO "verdicts" VALUES('0458d6afcc27765eaad0cd1de04e6b51','promoted','match','[{"clause":"labels_gained","wanted":"production","got":["latest","production"],"verdict":"yes"}]');
INSERT INTO "verdicts" VALUES('0458d6afcc27765eaad0cd1de04e6b51','tried','match','[]');
INSERT INTO "verdicts" VALUES('0458d6afcc27765eaad0cd1de04e6b51','faulty','error','[{"clause":"when","wanted":"prompt.config.temperature > 1","got":"line 1: ''temperature'' is undefined","verdict":"error"}]');
INSERT INTO "verdicts" VALUES('b1568466bdca082437e8e4e1e250e493','digest','match','[{"clause":"action","wanted":"created","got":"created","verdict":"yes"}]');
INSERT INTO "verdicts" VALUES('b1568466bdca082437e8e4e1e250e493','tried','match','[]');
INSERT INTO "verdicts" VALUES('b1568466bdca082437e8e4e1e250e493','faulty','error','[{"clause":"when","wanted":"prompt.config.temperature > 1","got":"line 1: ''temperature'' is undefined","verdict":"error"}]');
INSERT INTO "verdicts" VALUES('3f796c557ab59bc4690100b7b7328761','promoted','match','[{"clause":"labels_gained","wanted":"production","got":["production"],"verdict":"yes"}]');
INSERT INTO "verdicts" VALUES('3f796c557ab59bc4690100b7b7328761','tried','match','[]');
INSERT INTO "verdicts" VALUES('3f796c557ab59bc4690100b7b7328761','faulty','error','[{"clause":"when","wanted":"prompt.config.temperature > 1","got":"line 1: ''temperature'' is undefined","verdict":"error"}]');
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
INSERT INTO "versions" VALUES(1,'project-1',1,1796091084340,1796091084627,'["production"]',1796091084340,1796091084627,1,0,0,'{"type":"text","prompt":"Hello","config":{},"commit_message":null,"created_by":"u1","created_at":"2026-12-01T00:11:22.911000Z"}');
INSERT INTO "versions" VALUES(1,'project-2',2,1796091084341,1796091084635,'["latest"]',1796091084341,1796091084635,1,0,0,'{"type":"text","prompt":"Hello {{name}}","config":{},"commit_message":null,"created_by":"u1","created_at":"2026-12-01T00:11:22.912000Z"}');
INSERT INTO "versions" VALUES(2,'project-3',1,1796091084339,1796091084390,'["latest"]',1796091084339,1796091084390,1,0,0,'{"type":"text","prompt":"Rank ü\u0000😀","config":{},"commit_message":null,"created_by":"u1","created_at":"2026-12-01T02:11:24.339000Z"}');
CREATE TABLE windows (
	rule TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	opened_at BIGINT NOT NULL, 
	due_at BIGINT, 
	CONSTRAINT windows_pkey PRIMARY KEY (rule, subject)
);
INSERT INTO "windows" VALUES('digest','',1796091084498,2111451084498);
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
