CREATE TABLE public.api_prompts (
    source text NOT NULL,
    name text NOT NULL,
    imported boolean NOT NULL,
    differs text
);


--
-- Name: api_sources; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.api_sources (
    source text NOT NULL,
    project_id text,
    imported_at bigint,
    looked_at bigint,
    lease_until bigint
);


--
-- Name: attempts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.attempts (
    delivery bigint NOT NULL,
    fence bigint NOT NULL,
    number integer NOT NULL,
    started_at bigint NOT NULL,
    finished_at bigint,
    outcome text,
    status integer,
    reason text NOT NULL,
    excerpt text NOT NULL,
    CONSTRAINT attempts_ended_check CHECK (((finished_at IS NULL) = (outcome IS NULL))),
    CONSTRAINT attempts_outcome_check CHECK ((outcome = ANY (ARRAY['accepted'::text, 'retry'::text, 'rejected'::text, 'refused'::text, 'lost'::text])))
);


--
-- Name: change_labels; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.change_labels (
    change_id text NOT NULL,
    label text NOT NULL
);


--
-- Name: changes; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.changes (
    seq bigint NOT NULL,
    id text NOT NULL,
    event bigint,
    prompt bigint,
    version_id text,
    version bigint,
    type text NOT NULL,
    action text,
    origin text NOT NULL,
    author text,
    happened_at bigint NOT NULL,
    facts text NOT NULL,
    at bigint NOT NULL,
    CONSTRAINT changes_action_check CHECK ((action = ANY (ARRAY['created'::text, 'updated'::text, 'deleted'::text]))),
    CONSTRAINT changes_origin_check CHECK ((origin = ANY (ARRAY['webhook'::text, 'reconcile'::text, 'inferred'::text, 'backfill'::text])))
);


--
-- Name: changes_seq_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.changes_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: changes_seq_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.changes_seq_seq OWNED BY public.changes.seq;


--
-- Name: deliveries; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.deliveries (
    seq bigint NOT NULL,
    key text NOT NULL,
    firing text NOT NULL,
    rule text NOT NULL,
    action text NOT NULL,
    "position" integer NOT NULL,
    destination text NOT NULL,
    type text NOT NULL,
    status text NOT NULL,
    reason text NOT NULL,
    prompt bigint,
    about_trouble boolean NOT NULL,
    arrived_at bigint,
    created_at bigint NOT NULL,
    queued_at bigint NOT NULL,
    due_at bigint NOT NULL,
    ended_at bigint,
    attempts integer NOT NULL,
    fence bigint NOT NULL,
    lease_until bigint,
    order_key text,
    lane text,
    again integer NOT NULL,
    trace text,
    message text,
    CONSTRAINT deliveries_lease_check CHECK (((status = 'sending'::text) = (lease_until IS NOT NULL))),
    CONSTRAINT deliveries_message_check CHECK (((message IS NOT NULL) OR (status = ANY (ARRAY['dead'::text, 'skipped'::text, 'cancelled'::text])))),
    CONSTRAINT deliveries_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'sending'::text, 'retrying'::text, 'delivered'::text, 'dead'::text, 'captured'::text, 'skipped'::text, 'cancelled'::text])))
);


--
-- Name: deliveries_seq_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.deliveries_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: deliveries_seq_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.deliveries_seq_seq OWNED BY public.deliveries.seq;


--
-- Name: destinations; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.destinations (
    name text NOT NULL,
    type text NOT NULL,
    in_force boolean NOT NULL,
    paused_until bigint,
    breaker text,
    spending text
);


--
-- Name: events; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.events (
    seq bigint NOT NULL,
    source text NOT NULL,
    id text NOT NULL,
    origin text NOT NULL,
    type text NOT NULL,
    action text,
    project_id text,
    prompt text,
    received_at bigint NOT NULL,
    sent_at bigint,
    status text NOT NULL,
    reason text NOT NULL,
    ruleset text,
    routed_at bigint,
    body_digest text NOT NULL,
    trace text,
    body bytea NOT NULL,
    CONSTRAINT events_action_check CHECK ((action = ANY (ARRAY['created'::text, 'updated'::text, 'deleted'::text]))),
    CONSTRAINT events_origin_check CHECK ((origin = ANY (ARRAY['webhook'::text, 'reconcile'::text, 'inferred'::text, 'backfill'::text]))),
    CONSTRAINT events_status_check CHECK ((status = ANY (ARRAY['waiting'::text, 'routed'::text, 'quiet'::text, 'stale'::text, 'duplicate'::text, 'quarantined'::text])))
);


--
-- Name: events_seq_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.events_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: events_seq_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.events_seq_seq OWNED BY public.events.seq;


--
-- Name: firing_changes; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.firing_changes (
    change_id text NOT NULL,
    rule text NOT NULL,
    firing text,
    subject text,
    CONSTRAINT firing_changes_held_check CHECK (((firing IS NULL) = (subject IS NOT NULL)))
);


--
-- Name: firings; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.firings (
    id text NOT NULL,
    rule text NOT NULL,
    mode text NOT NULL,
    ruleset text NOT NULL,
    at bigint NOT NULL,
    CONSTRAINT firings_mode_check CHECK ((mode = ANY (ARRAY['live'::text, 'shadow'::text])))
);


--
-- Name: labels; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.labels (
    prompt bigint NOT NULL,
    label text NOT NULL,
    version_id text NOT NULL,
    version bigint NOT NULL,
    updated_at bigint NOT NULL,
    sent_at bigint NOT NULL
);


--
-- Name: prompts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.prompts (
    id bigint NOT NULL,
    source text NOT NULL,
    project_id text NOT NULL,
    name text NOT NULL,
    revision bigint NOT NULL,
    tags text,
    tags_updated_at bigint,
    tags_sent_at bigint
);


--
-- Name: prompts_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.prompts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: prompts_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.prompts_id_seq OWNED BY public.prompts.id;


--
-- Name: router_schema; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.router_schema (
    version_num character varying(32) NOT NULL
);


--
-- Name: rulesets; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.rulesets (
    digest text NOT NULL,
    text text NOT NULL,
    first_used_at bigint NOT NULL
);


--
-- Name: threads; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.threads (
    destination text NOT NULL,
    channel text NOT NULL,
    name text NOT NULL,
    root text NOT NULL
);


--
-- Name: troubles; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.troubles (
    kind text NOT NULL,
    subject text NOT NULL,
    told_at bigint NOT NULL,
    count bigint NOT NULL
);


--
-- Name: verdicts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.verdicts (
    change_id text NOT NULL,
    rule text NOT NULL,
    verdict text NOT NULL,
    clauses text NOT NULL,
    CONSTRAINT verdicts_verdict_check CHECK ((verdict = ANY (ARRAY['match'::text, 'no'::text, 'error'::text, 'disabled'::text])))
);


--
-- Name: versions; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.versions (
    prompt bigint NOT NULL,
    id text NOT NULL,
    number bigint NOT NULL,
    updated_at bigint NOT NULL,
    sent_at bigint NOT NULL,
    labels text,
    labels_updated_at bigint,
    labels_sent_at bigint,
    created boolean NOT NULL,
    buried boolean NOT NULL,
    untold boolean NOT NULL,
    content text
);


--
-- Name: windows; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.windows (
    rule text NOT NULL,
    subject text NOT NULL,
    opened_at bigint NOT NULL,
    due_at bigint
);


--
-- Name: changes seq; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.changes ALTER COLUMN seq SET DEFAULT nextval('public.changes_seq_seq'::regclass);


--
-- Name: deliveries seq; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.deliveries ALTER COLUMN seq SET DEFAULT nextval('public.deliveries_seq_seq'::regclass);


--
-- Name: events seq; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.events ALTER COLUMN seq SET DEFAULT nextval('public.events_seq_seq'::regclass);


--
-- Name: prompts id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.prompts ALTER COLUMN id SET DEFAULT nextval('public.prompts_id_seq'::regclass);


--
-- Data for Name: api_prompts; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.api_prompts VALUES ('prod', 'checkout/cart', true, NULL);
INSERT INTO public.api_prompts VALUES ('prod', 'search/rank', true, NULL);


--
-- Data for Name: api_sources; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.api_sources VALUES ('prod', 'project', 1796091084606, 1796091084609, NULL);


--
-- Data for Name: attempts; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.attempts VALUES (1, 1, 1, 1796091084516, 1796091084550, 'accepted', 200, 'HTTP 200 OK', 'ok');
INSERT INTO public.attempts VALUES (2, 1, 1, 1796091084516, 1796091084550, 'rejected', 400, 'HTTP 400 Bad Request', 'ok');
INSERT INTO public.attempts VALUES (3, 1, 1, 1796091084516, 1796091084550, 'retry', 503, 'HTTP 503 Service Unavailable', 'ok');
INSERT INTO public.attempts VALUES (4, 1, 1, 1796091084516, 1796091084582, 'accepted', 200, 'HTTP 200 OK', '{"ok": true, "channel": "C", "ts": "1.0"}');
INSERT INTO public.attempts VALUES (7, 1, 1, 1796091084663, NULL, NULL, NULL, '', '');
INSERT INTO public.attempts VALUES (8, 1, 1, 1796091084663, 1796091084673, 'rejected', 400, 'HTTP 400 Bad Request', 'ok');
INSERT INTO public.attempts VALUES (9, 1, 1, 1796091084663, 1796091084675, 'retry', 503, 'HTTP 503 Service Unavailable', 'ok');
INSERT INTO public.attempts VALUES (10, 1, 1, 1796091085522, 1796091085528, 'accepted', 200, 'HTTP 200 OK', '{"ok": true, "channel": "C", "ts": "1.0"}');


--
-- Data for Name: change_labels; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.change_labels VALUES ('0458d6afcc27765eaad0cd1de04e6b51', 'latest');
INSERT INTO public.change_labels VALUES ('0458d6afcc27765eaad0cd1de04e6b51', 'production');
INSERT INTO public.change_labels VALUES ('3f796c557ab59bc4690100b7b7328761', 'production');
INSERT INTO public.change_labels VALUES ('b1568466bdca082437e8e4e1e250e493', 'latest');
INSERT INTO public.change_labels VALUES ('fec29ff3cde363811b2249917ac81850', 'production');


--
-- Data for Name: changes; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.changes VALUES (1, 'fe141e0447635135b7ebcc148d8d1c6a', 5, NULL, NULL, NULL, 'router.quarantined', NULL, 'webhook', NULL, 1796091084404, '{}', 1796091084408);
INSERT INTO public.changes VALUES (2, '0458d6afcc27765eaad0cd1de04e6b51', 1, 1, 'project-2', 2, 'prompt-version', 'updated', 'webhook', 'Ann', 1796091084337, '{"version":{"id":"project-2","number":2,"labels":["latest","production"],"tags":["eu"],"updated_at":"2026-12-01T02:11:24.337000Z","content":null},"labels_gained":["latest","production"],"tags_gained":["eu"],"assumed":true}', 1796091084484);
INSERT INTO public.changes VALUES (3, 'c80422fd01d67b0d0f1a6beef6f70ad8', 2, 1, 'project-1', 1, 'prompt-version', 'updated', 'webhook', 'Ann', 1796091084338, '{"version":{"id":"project-1","number":1,"labels":[],"tags":["eu"],"updated_at":"2026-12-01T02:11:24.338000Z","content":null},"quiet":true}', 1796091084484);
INSERT INTO public.changes VALUES (4, 'b1568466bdca082437e8e4e1e250e493', 3, 2, 'project-3', 1, 'prompt-version', 'created', 'webhook', 'Ann', 1796091084339, '{"version":{"id":"project-3","number":1,"labels":["latest"],"tags":["eu"],"updated_at":"2026-12-01T02:11:24.339000Z","content":null},"labels_gained":["latest"],"tags_gained":["eu"]}', 1796091084484);
INSERT INTO public.changes VALUES (5, 'a185bad88bce629982ecc3b6f2f41943', 6, NULL, NULL, NULL, 'router.delivery_dead', NULL, 'webhook', NULL, 1796091084565, '{}', 1796091084569);
INSERT INTO public.changes VALUES (6, '3f796c557ab59bc4690100b7b7328761', 7, 1, 'project-1', 1, 'prompt-version', 'updated', 'webhook', 'Ann', 1796091084340, '{"version":{"id":"project-1","number":1,"labels":["production"],"tags":["eu"],"updated_at":"2026-12-01T02:11:24.340000Z","content":null},"labels_gained":["production"],"moved":[{"label":"production","from":2,"to":1}],"replaced":{"production":{"id":"project-2","number":2,"labels":["latest","production"],"tags":["eu"],"updated_at":"2026-12-01T02:11:24.337000Z","content":null}}}', 1796091084651);
INSERT INTO public.changes VALUES (7, 'fec29ff3cde363811b2249917ac81850', 8, 1, 'project-2', 2, 'prompt-version', 'updated', 'webhook', 'Ann', 1796091084341, '{"version":{"id":"project-2","number":2,"labels":["latest"],"tags":["eu"],"updated_at":"2026-12-01T02:11:24.341000Z","content":null},"labels_lost":["production"],"half":true}', 1796091084651);


--
-- Data for Name: deliveries; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.deliveries VALUES (1, '0ce6ce9f1fe034dbf7abe8282323f205', '7f02339e55e53b9d85ce412cfa309569', 'promoted', 'd979ffd9db2bb16f', 0, 'sink', 'http', 'delivered', 'HTTP 200 OK', 1, false, 1796091084365, 1796091084501, 1796091084501, 1796091084501, 1796091084550, 1, 1, NULL, NULL, NULL, 0, NULL, '{"type":"http","method":"POST","path":"","query":{},"headers":{},"body":{"type":"json","value":{"event":{"id":"event-0","type":"prompt-version","action":"updated","source":"prod","origin":"webhook","timestamp":"2026-12-01T02:11:24.345Z","user":{"name":"Ann","email":"ann@example.com"},"replay":false},"prompt":{"name":"checkout/cart","folder":"checkout","version":2,"labels":["latest","production"],"tags":["eu"],"type":"text","text":"Hello {{name}}","messages":[],"config":{},"variables":["name"],"commit_message":null,"created_by":"u1","project_id":"project","created_at":"2026-12-01T00:11:22.912Z","updated_at":"2026-12-01T02:11:24.337Z","url":null},"author":"Ann","label":"production","change":{"labels_gained":["latest","production"],"labels_lost":[],"labels_removed":[],"tags_gained":["eu"],"tags_lost":[],"moved":[],"moved_from":null,"rollback":false,"versions_left":null,"assumed":true,"quiet":false,"previous":null,"diff":"","config_diff":"","added":0,"removed":0,"variables_gained":[],"variables_lost":[]},"rule":{"name":"promoted","description":""}}},"status":[],"where":[],"templated_path":false}');
INSERT INTO public.deliveries VALUES (2, 'f228f4060fc264fd3ebeebfd804349d1', '7f02339e55e53b9d85ce412cfa309569', 'promoted', 'd979ffd9db2bb16f', 0, 'refusing', 'http', 'dead', 'HTTP 400 Bad Request', 1, false, 1796091084365, 1796091084501, 1796091084501, 1796091084501, 1796091084550, 1, 1, NULL, NULL, NULL, 0, NULL, '{"type":"http","method":"POST","path":"","query":{},"headers":{},"body":{"type":"json","value":{"event":{"id":"event-0","type":"prompt-version","action":"updated","source":"prod","origin":"webhook","timestamp":"2026-12-01T02:11:24.345Z","user":{"name":"Ann","email":"ann@example.com"},"replay":false},"prompt":{"name":"checkout/cart","folder":"checkout","version":2,"labels":["latest","production"],"tags":["eu"],"type":"text","text":"Hello {{name}}","messages":[],"config":{},"variables":["name"],"commit_message":null,"created_by":"u1","project_id":"project","created_at":"2026-12-01T00:11:22.912Z","updated_at":"2026-12-01T02:11:24.337Z","url":null},"author":"Ann","label":"production","change":{"labels_gained":["latest","production"],"labels_lost":[],"labels_removed":[],"tags_gained":["eu"],"tags_lost":[],"moved":[],"moved_from":null,"rollback":false,"versions_left":null,"assumed":true,"quiet":false,"previous":null,"diff":"","config_diff":"","added":0,"removed":0,"variables_gained":[],"variables_lost":[]},"rule":{"name":"promoted","description":""}}},"status":[],"where":[],"templated_path":false}');
INSERT INTO public.deliveries VALUES (3, 'b9b01873c93ded07c303c6120e7fa393', '7f02339e55e53b9d85ce412cfa309569', 'promoted', 'd979ffd9db2bb16f', 0, 'down', 'http', 'retrying', 'HTTP 503 Service Unavailable', 1, false, 1796091084365, 1796091084501, 1796091084501, 1796094710034, NULL, 1, 1, NULL, NULL, NULL, 0, NULL, '{"type":"http","method":"POST","path":"","query":{},"headers":{},"body":{"type":"json","value":{"event":{"id":"event-0","type":"prompt-version","action":"updated","source":"prod","origin":"webhook","timestamp":"2026-12-01T02:11:24.345Z","user":{"name":"Ann","email":"ann@example.com"},"replay":false},"prompt":{"name":"checkout/cart","folder":"checkout","version":2,"labels":["latest","production"],"tags":["eu"],"type":"text","text":"Hello {{name}}","messages":[],"config":{},"variables":["name"],"commit_message":null,"created_by":"u1","project_id":"project","created_at":"2026-12-01T00:11:22.912Z","updated_at":"2026-12-01T02:11:24.337Z","url":null},"author":"Ann","label":"production","change":{"labels_gained":["latest","production"],"labels_lost":[],"labels_removed":[],"tags_gained":["eu"],"tags_lost":[],"moved":[],"moved_from":null,"rollback":false,"versions_left":null,"assumed":true,"quiet":false,"previous":null,"diff":"","config_diff":"","added":0,"removed":0,"variables_gained":[],"variables_lost":[]},"rule":{"name":"promoted","description":""}}},"status":[],"where":[],"templated_path":false}');
INSERT INTO public.deliveries VALUES (4, '86bfa419a348362cbca1910aeb4f278a', '7f02339e55e53b9d85ce412cfa309569', 'promoted', '76ad6be7c86d25c9', 1, 'bot', 'slack', 'delivered', 'HTTP 200 OK', 1, false, 1796091084365, 1796091084501, 1796091084501, 1796091084501, 1796091084582, 1, 1, NULL, 'prod/project/checkout/cart', NULL, 0, NULL, '{"type":"slack","text":"checkout/cart: production set on v2; tags +eu (Ann)","plain":true,"channel":"#prompts","templated_channel":false,"thread":"prod/project/checkout/cart","blocks":[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"checkout/cart","style":{"bold":true}},{"type":"text","text":"  production set on v2; tags +eu"}]},{"type":"rich_text_section","elements":[{"type":"text","text":"by Ann"},{"type":"text","text":" · labels:"},{"type":"text","text":" "},{"type":"text","text":"+latest","style":{"bold":true}},{"type":"text","text":" "},{"type":"text","text":"+production","style":{"bold":true}},{"type":"text","text":" · tags:"},{"type":"text","text":" "},{"type":"text","text":"+eu","style":{"bold":true}},{"type":"text","text":" · first sight of this version: what it held before is not known"}]}]}],"color":null}');
INSERT INTO public.deliveries VALUES (5, '9f61281cd52ffcc37632afb96a6186d8', '665627c7b74706f4fbd538383054f81a', 'tried', '5dc943c094e0d0c3', 0, 'sink', 'http', 'captured', '', 1, false, 1796091084365, 1796091084501, 1796091084501, 1796091084501, NULL, 0, 0, NULL, NULL, NULL, 0, NULL, '{"type":"http","method":"POST","path":"","query":{},"headers":{},"body":{"type":"json","value":{"event":{"id":"event-0","type":"prompt-version","action":"updated","source":"prod","origin":"webhook","timestamp":"2026-12-01T02:11:24.345Z","user":{"name":"Ann","email":"ann@example.com"},"replay":false},"prompt":{"name":"checkout/cart","folder":"checkout","version":2,"labels":["latest","production"],"tags":["eu"],"type":"text","text":"Hello {{name}}","messages":[],"config":{},"variables":["name"],"commit_message":null,"created_by":"u1","project_id":"project","created_at":"2026-12-01T00:11:22.912Z","updated_at":"2026-12-01T02:11:24.337Z","url":null},"author":"Ann","label":"production","change":{"labels_gained":["latest","production"],"labels_lost":[],"labels_removed":[],"tags_gained":["eu"],"tags_lost":[],"moved":[],"moved_from":null,"rollback":false,"versions_left":null,"assumed":true,"quiet":false,"previous":null,"diff":"","config_diff":"","added":0,"removed":0,"variables_gained":[],"variables_lost":[]},"rule":{"name":"tried","description":""}}},"status":[],"where":[],"templated_path":false}');
INSERT INTO public.deliveries VALUES (6, 'a6d2839a6275fd7e9622b89975fe95aa', '339f7ad1e0f93bc63a8fee5dd66cf684', 'tried', '5dc943c094e0d0c3', 0, 'sink', 'http', 'captured', '', 2, false, 1796091084391, 1796091084501, 1796091084501, 1796091084501, NULL, 0, 0, NULL, NULL, NULL, 0, NULL, '{"type":"http","method":"POST","path":"","query":{},"headers":{},"body":{"type":"json","value":{"event":{"id":"event-2","type":"prompt-version","action":"created","source":"prod","origin":"webhook","timestamp":"2026-12-01T02:11:24.390Z","user":{"name":"Ann","email":"ann@example.com"},"replay":false},"prompt":{"name":"search/rank","folder":"search","version":1,"labels":["latest"],"tags":["eu"],"type":"text","text":"Rank ü\u0000😀","messages":[],"config":{},"variables":[],"commit_message":null,"created_by":"u1","project_id":"project","created_at":"2026-12-01T02:11:24.339Z","updated_at":"2026-12-01T02:11:24.339Z","url":null},"author":"Ann","label":"latest","change":{"labels_gained":["latest"],"labels_lost":[],"labels_removed":[],"tags_gained":["eu"],"tags_lost":[],"moved":[],"moved_from":null,"rollback":false,"versions_left":null,"assumed":false,"quiet":false,"previous":null,"diff":"","config_diff":"","added":0,"removed":0,"variables_gained":[],"variables_lost":[]},"rule":{"name":"tried","description":""}}},"status":[],"where":[],"templated_path":false}');
INSERT INTO public.deliveries VALUES (7, '2869f991fbc50724ba9c5d66d508f1ad', '831d58b81448f6ae78eda165dfa603a0', 'promoted', 'd979ffd9db2bb16f', 0, 'sink', 'http', 'sending', '', 1, false, 1796091084628, 1796091084654, 1796091084654, 1796091084654, NULL, 1, 1, 1796091414663, NULL, NULL, 0, NULL, '{"type":"http","method":"POST","path":"","query":{},"headers":{},"body":{"type":"json","value":{"event":{"id":"event-6","type":"prompt-version","action":"updated","source":"prod","origin":"webhook","timestamp":"2026-12-01T02:11:24.627Z","user":{"name":"Ann","email":"ann@example.com"},"replay":false},"prompt":{"name":"checkout/cart","folder":"checkout","version":1,"labels":["production"],"tags":["eu"],"type":"text","text":"Hello","messages":[],"config":{},"variables":[],"commit_message":null,"created_by":"u1","project_id":"project","created_at":"2026-12-01T00:11:22.911Z","updated_at":"2026-12-01T02:11:24.340Z","url":null},"author":"Ann","label":"production","change":{"labels_gained":["production"],"labels_lost":[],"labels_removed":[],"tags_gained":[],"tags_lost":[],"moved":[{"label":"production","from":2,"to":1}],"moved_from":2,"rollback":true,"versions_left":null,"assumed":false,"quiet":false,"previous":{"version":2,"text":"Hello {{name}}","labels":["latest","production"],"config":{},"commit_message":null,"created_at":"2026-12-01T00:11:22.912Z"},"diff":"@@ -1 +1 @@\n-Hello {{name}}\n+Hello","config_diff":"","added":1,"removed":1,"variables_gained":[],"variables_lost":["name"]},"rule":{"name":"promoted","description":""}}},"status":[],"where":[],"templated_path":false}');
INSERT INTO public.deliveries VALUES (8, '58297a39eb89805396708f69793019b4', '831d58b81448f6ae78eda165dfa603a0', 'promoted', 'd979ffd9db2bb16f', 0, 'refusing', 'http', 'dead', 'HTTP 400 Bad Request', 1, false, 1796091084628, 1796091084654, 1796091084654, 1796091084654, 1796091084673, 1, 1, NULL, NULL, NULL, 0, NULL, '{"type":"http","method":"POST","path":"","query":{},"headers":{},"body":{"type":"json","value":{"event":{"id":"event-6","type":"prompt-version","action":"updated","source":"prod","origin":"webhook","timestamp":"2026-12-01T02:11:24.627Z","user":{"name":"Ann","email":"ann@example.com"},"replay":false},"prompt":{"name":"checkout/cart","folder":"checkout","version":1,"labels":["production"],"tags":["eu"],"type":"text","text":"Hello","messages":[],"config":{},"variables":[],"commit_message":null,"created_by":"u1","project_id":"project","created_at":"2026-12-01T00:11:22.911Z","updated_at":"2026-12-01T02:11:24.340Z","url":null},"author":"Ann","label":"production","change":{"labels_gained":["production"],"labels_lost":[],"labels_removed":[],"tags_gained":[],"tags_lost":[],"moved":[{"label":"production","from":2,"to":1}],"moved_from":2,"rollback":true,"versions_left":null,"assumed":false,"quiet":false,"previous":{"version":2,"text":"Hello {{name}}","labels":["latest","production"],"config":{},"commit_message":null,"created_at":"2026-12-01T00:11:22.912Z"},"diff":"@@ -1 +1 @@\n-Hello {{name}}\n+Hello","config_diff":"","added":1,"removed":1,"variables_gained":[],"variables_lost":["name"]},"rule":{"name":"promoted","description":""}}},"status":[],"where":[],"templated_path":false}');
INSERT INTO public.deliveries VALUES (9, '7280915de55287c750cdc35355d1d594', '831d58b81448f6ae78eda165dfa603a0', 'promoted', 'd979ffd9db2bb16f', 0, 'down', 'http', 'retrying', 'HTTP 503 Service Unavailable', 1, false, 1796091084628, 1796091084654, 1796091084654, 1796094887083, NULL, 1, 1, NULL, NULL, NULL, 0, NULL, '{"type":"http","method":"POST","path":"","query":{},"headers":{},"body":{"type":"json","value":{"event":{"id":"event-6","type":"prompt-version","action":"updated","source":"prod","origin":"webhook","timestamp":"2026-12-01T02:11:24.627Z","user":{"name":"Ann","email":"ann@example.com"},"replay":false},"prompt":{"name":"checkout/cart","folder":"checkout","version":1,"labels":["production"],"tags":["eu"],"type":"text","text":"Hello","messages":[],"config":{},"variables":[],"commit_message":null,"created_by":"u1","project_id":"project","created_at":"2026-12-01T00:11:22.911Z","updated_at":"2026-12-01T02:11:24.340Z","url":null},"author":"Ann","label":"production","change":{"labels_gained":["production"],"labels_lost":[],"labels_removed":[],"tags_gained":[],"tags_lost":[],"moved":[{"label":"production","from":2,"to":1}],"moved_from":2,"rollback":true,"versions_left":null,"assumed":false,"quiet":false,"previous":{"version":2,"text":"Hello {{name}}","labels":["latest","production"],"config":{},"commit_message":null,"created_at":"2026-12-01T00:11:22.912Z"},"diff":"@@ -1 +1 @@\n-Hello {{name}}\n+Hello","config_diff":"","added":1,"removed":1,"variables_gained":[],"variables_lost":["name"]},"rule":{"name":"promoted","description":""}}},"status":[],"where":[],"templated_path":false}');
INSERT INTO public.deliveries VALUES (10, '94a30eec41d9f9f0c0e2c77d19817bcd', '831d58b81448f6ae78eda165dfa603a0', 'promoted', '76ad6be7c86d25c9', 1, 'bot', 'slack', 'delivered', 'HTTP 200 OK', 1, false, 1796091084628, 1796091084654, 1796091084654, 1796091084654, 1796091085528, 1, 1, NULL, 'prod/project/checkout/cart', NULL, 0, NULL, '{"type":"slack","text":"checkout/cart: production rolled back v2 → v1 (Ann)","plain":true,"channel":"#prompts","templated_channel":false,"thread":"prod/project/checkout/cart","blocks":[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"checkout/cart","style":{"bold":true}},{"type":"text","text":"  production rolled back v2 → v1"}]},{"type":"rich_text_section","elements":[{"type":"text","text":"⚠ variable gone: name (callers need not pass it any more)"}]},{"type":"rich_text_preformatted","elements":[{"type":"text","text":"@@ -1 +1 @@\n-Hello {{name}}\n+Hello"}]},{"type":"rich_text_section","elements":[{"type":"text","text":"by Ann"},{"type":"text","text":" · labels:"},{"type":"text","text":" "},{"type":"text","text":"+production","style":{"bold":true}},{"type":"text","text":" · tags:"},{"type":"text","text":" "},{"type":"text","text":"eu"},{"type":"text","text":" · text against v2: +1 −1 lines"}]}]}],"color":null}');
INSERT INTO public.deliveries VALUES (11, '588cc17c24f953f4611eb9939c5d6bc6', 'ecf5dbca538ef96bb79032962ff3e9de', 'tried', '5dc943c094e0d0c3', 0, 'sink', 'http', 'captured', '', 1, false, 1796091084628, 1796091084654, 1796091084654, 1796091084654, NULL, 0, 0, NULL, NULL, NULL, 0, NULL, '{"type":"http","method":"POST","path":"","query":{},"headers":{},"body":{"type":"json","value":{"event":{"id":"event-6","type":"prompt-version","action":"updated","source":"prod","origin":"webhook","timestamp":"2026-12-01T02:11:24.627Z","user":{"name":"Ann","email":"ann@example.com"},"replay":false},"prompt":{"name":"checkout/cart","folder":"checkout","version":1,"labels":["production"],"tags":["eu"],"type":"text","text":"Hello","messages":[],"config":{},"variables":[],"commit_message":null,"created_by":"u1","project_id":"project","created_at":"2026-12-01T00:11:22.911Z","updated_at":"2026-12-01T02:11:24.340Z","url":null},"author":"Ann","label":"production","change":{"labels_gained":["production"],"labels_lost":[],"labels_removed":[],"tags_gained":[],"tags_lost":[],"moved":[{"label":"production","from":2,"to":1}],"moved_from":2,"rollback":true,"versions_left":null,"assumed":false,"quiet":false,"previous":{"version":2,"text":"Hello {{name}}","labels":["latest","production"],"config":{},"commit_message":null,"created_at":"2026-12-01T00:11:22.912Z"},"diff":"@@ -1 +1 @@\n-Hello {{name}}\n+Hello","config_diff":"","added":1,"removed":1,"variables_gained":[],"variables_lost":["name"]},"rule":{"name":"tried","description":""}}},"status":[],"where":[],"templated_path":false}');


--
-- Data for Name: destinations; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.destinations VALUES ('bot', 'slack', true, NULL, NULL, '{"rate":{"count":1,"per":"PT1S"},"spent":[[1796091085522,1]]}');
INSERT INTO public.destinations VALUES ('down', 'http', true, NULL, '{"failures":2,"openings":0,"open_until":null,"probe":null,"reason":""}', NULL);
INSERT INTO public.destinations VALUES ('refusing', 'http', true, NULL, NULL, NULL);
INSERT INTO public.destinations VALUES ('sink', 'http', true, NULL, NULL, NULL);


--
-- Data for Name: events; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.events VALUES (1, 'prod', 'event-0', 'webhook', 'prompt-version', 'updated', 'project', 'checkout/cart', 1796091084365, 1796091084345, 'routed', '', '69b3db0b92962ab0', 1796091084484, 'fbe73982d7f4086c2c2719904c81920b2bca7f502e38f342e48f22b4cf9ea4e5', NULL, '\x7b226964223a226576656e742d30222c2274696d657374616d70223a22323032362d31322d30315430323a31313a32342e3334355a222c2274797065223a2270726f6d70742d76657273696f6e222c2261706956657273696f6e223a227631222c22616374696f6e223a2275706461746564222c2275736572223a7b226e616d65223a22416e6e222c22656d61696c223a22616e6e406578616d706c652e636f6d227d2c2270726f6d7074223a7b226964223a2270726f6a6563742d32222c226e616d65223a22636865636b6f75742f63617274222c2276657273696f6e223a322c2270726f6a6563744964223a2270726f6a656374222c22637265617465644279223a227531222c226c6162656c73223a5b2270726f64756374696f6e222c226c6174657374225d2c2270726f6d7074223a2248656c6c6f207b7b6e616d657d7d222c2274797065223a2274657874222c22636f6e666967223a7b7d2c22636f6d6d69744d657373616765223a6e756c6c2c2274616773223a5b226575225d2c22637265617465644174223a22323032362d31322d30315430303a31313a32322e3931325a222c22757064617465644174223a22323032362d31322d30315430323a31313a32342e3333375a227d7d');
INSERT INTO public.events VALUES (2, 'prod', 'event-1', 'webhook', 'prompt-version', 'updated', 'project', 'checkout/cart', 1796091084381, 1796091084379, 'quiet', 'nothing that we can see changed', '69b3db0b92962ab0', 1796091084484, 'e766554dcf14bb8fa2a0013a365bb3d338fe456ae3a9a1e4443162fb29aea42a', NULL, '\x7b226964223a226576656e742d31222c2274696d657374616d70223a22323032362d31322d30315430323a31313a32342e3337395a222c2274797065223a2270726f6d70742d76657273696f6e222c2261706956657273696f6e223a227631222c22616374696f6e223a2275706461746564222c2275736572223a7b226e616d65223a22416e6e222c22656d61696c223a22616e6e406578616d706c652e636f6d227d2c2270726f6d7074223a7b226964223a2270726f6a6563742d31222c226e616d65223a22636865636b6f75742f63617274222c2276657273696f6e223a312c2270726f6a6563744964223a2270726f6a656374222c22637265617465644279223a227531222c226c6162656c73223a5b5d2c2270726f6d7074223a2248656c6c6f222c2274797065223a2274657874222c22636f6e666967223a7b7d2c22636f6d6d69744d657373616765223a6e756c6c2c2274616773223a5b226575225d2c22637265617465644174223a22323032362d31322d30315430303a31313a32322e3931315a222c22757064617465644174223a22323032362d31322d30315430323a31313a32342e3333385a227d7d');
INSERT INTO public.events VALUES (3, 'prod', 'event-2', 'webhook', 'prompt-version', 'created', 'project', 'search/rank', 1796091084391, 1796091084390, 'routed', '', '69b3db0b92962ab0', 1796091084484, '5c44d292d51f002f8fc1cdd47171a2e28129bf33ee79ff2a628fe9b8d1281e05', NULL, '\x7b226964223a226576656e742d32222c2274696d657374616d70223a22323032362d31322d30315430323a31313a32342e3339305a222c2274797065223a2270726f6d70742d76657273696f6e222c2261706956657273696f6e223a227631222c22616374696f6e223a2263726561746564222c2275736572223a7b226e616d65223a22416e6e222c22656d61696c223a22616e6e406578616d706c652e636f6d227d2c2270726f6d7074223a7b226964223a2270726f6a6563742d33222c226e616d65223a227365617263682f72616e6b222c2276657273696f6e223a312c2270726f6a6563744964223a2270726f6a656374222c22637265617465644279223a227531222c226c6162656c73223a5b226c6174657374225d2c2270726f6d7074223a2252616e6b20c3bc5c7530303030f09f9880222c2274797065223a2274657874222c22636f6e666967223a7b7d2c22636f6d6d69744d657373616765223a6e756c6c2c2274616773223a5b226575225d2c22637265617465644174223a22323032362d31322d30315430323a31313a32342e3333395a222c22757064617465644174223a22323032362d31322d30315430323a31313a32342e3333395a227d7d');
INSERT INTO public.events VALUES (4, 'prod', 'odd', 'webhook', '', NULL, NULL, NULL, 1796091084394, NULL, 'quarantined', '`action` is missing or no text', NULL, NULL, '1ed030e8c3b78e194660e0a76f66be0c474ee2117a19b3c4b9ae8e904f5d37ed', NULL, '\x7b226964223a20226f6464222c202274797065223a202270726f6d70742d76657273696f6e227d');
INSERT INTO public.events VALUES (5, 'router', '5a5b0e63-da52-4760-911f-c01c27238d5b', 'webhook', 'router.quarantined', NULL, NULL, NULL, 1796091084404, 1796091084404, 'routed', '', '69b3db0b92962ab0', 1796091084408, 'e2ee694549593ee9d0e18c6ac64fff12ee2300e6b4692e240a2ed2f9bcb987d5', NULL, '\x7b226964223a2235613562306536332d646135322d343736302d393131662d633031633237323338643562222c2274696d657374616d70223a22323032362d31322d30315430323a31313a32342e3430343436392b30303a3030222c2274797065223a22726f757465722e71756172616e74696e6564222c227375626a656374223a2270726f64222c226d657373616765223a22736f757263652070726f643a206576656e74206f64642063616e6e6f7420626520756e64657273746f6f6420616e6420776173207365742061736964653a2060616374696f6e60206973206d697373696e67206f72206e6f2074657874222c22636f756e74223a312c226576656e74223a226f6464227d');
INSERT INTO public.events VALUES (6, 'router', 'a329a0de-a326-4288-adc5-9459ba2c9980', 'webhook', 'router.delivery_dead', NULL, NULL, NULL, 1796091084565, 1796091084565, 'routed', '', '69b3db0b92962ab0', 1796091084569, '0dfa24f1f31e23c818d1216c653283ad537aa647bddb35a6406c8f90a6938506', NULL, '\x7b226964223a2261333239613064652d613332362d343238382d616463352d393435396261326339393830222c2274696d657374616d70223a22323032362d31322d30315430323a31313a32342e3536353835302b30303a3030222c2274797065223a22726f757465722e64656c69766572795f64656164222c227375626a656374223a227265667573696e67222c226d657373616765223a2264657374696e6174696f6e207265667573696e673a2064656c69766572792066323238663430363066633236346664336562656562666438303433343964312077617320676976656e2075703a204854545020343030204261642052657175657374222c22636f756e74223a312c2264656c6976657279223a226632323866343036306663323634666433656265656266643830343334396431227d');
INSERT INTO public.events VALUES (7, 'prod', 'event-6', 'webhook', 'prompt-version', 'updated', 'project', 'checkout/cart', 1796091084628, 1796091084627, 'routed', '', '69b3db0b92962ab0', 1796091084651, '12f5a0e549214d2dcfa41578cd0eccfa38ada83f4b3d4e7aa201e4710bc0fff3', NULL, '\x7b226964223a226576656e742d36222c2274696d657374616d70223a22323032362d31322d30315430323a31313a32342e3632375a222c2274797065223a2270726f6d70742d76657273696f6e222c2261706956657273696f6e223a227631222c22616374696f6e223a2275706461746564222c2275736572223a7b226e616d65223a22416e6e222c22656d61696c223a22616e6e406578616d706c652e636f6d227d2c2270726f6d7074223a7b226964223a2270726f6a6563742d31222c226e616d65223a22636865636b6f75742f63617274222c2276657273696f6e223a312c2270726f6a6563744964223a2270726f6a656374222c22637265617465644279223a227531222c226c6162656c73223a5b2270726f64756374696f6e225d2c2270726f6d7074223a2248656c6c6f222c2274797065223a2274657874222c22636f6e666967223a7b7d2c22636f6d6d69744d657373616765223a6e756c6c2c2274616773223a5b226575225d2c22637265617465644174223a22323032362d31322d30315430303a31313a32322e3931315a222c22757064617465644174223a22323032362d31322d30315430323a31313a32342e3334305a227d7d');
INSERT INTO public.events VALUES (8, 'prod', 'event-7', 'webhook', 'prompt-version', 'updated', 'project', 'checkout/cart', 1796091084636, 1796091084635, 'routed', '', '69b3db0b92962ab0', 1796091084651, '1c880779d10d941079103bf602664ec3a0ab1237a196b7dd7f441f391b313630', NULL, '\x7b226964223a226576656e742d37222c2274696d657374616d70223a22323032362d31322d30315430323a31313a32342e3633355a222c2274797065223a2270726f6d70742d76657273696f6e222c2261706956657273696f6e223a227631222c22616374696f6e223a2275706461746564222c2275736572223a7b226e616d65223a22416e6e222c22656d61696c223a22616e6e406578616d706c652e636f6d227d2c2270726f6d7074223a7b226964223a2270726f6a6563742d32222c226e616d65223a22636865636b6f75742f63617274222c2276657273696f6e223a322c2270726f6a6563744964223a2270726f6a656374222c22637265617465644279223a227531222c226c6162656c73223a5b226c6174657374225d2c2270726f6d7074223a2248656c6c6f207b7b6e616d657d7d222c2274797065223a2274657874222c22636f6e666967223a7b7d2c22636f6d6d69744d657373616765223a6e756c6c2c2274616773223a5b226575225d2c22637265617465644174223a22323032362d31322d30315430303a31313a32322e3931325a222c22757064617465644174223a22323032362d31322d30315430323a31313a32342e3334315a227d7d');
INSERT INTO public.events VALUES (9, 'patient', 'event-8', 'webhook', 'prompt-version', 'created', 'project', 'search/later', 1796091085571, 1796091085570, 'waiting', '', NULL, NULL, 'b6551dabef652750e4261e44963ae57d8a7fa78346fa23469dca9340d3bcdb2d', NULL, '\x7b226964223a226576656e742d38222c2274696d657374616d70223a22323032362d31322d30315430323a31313a32352e3537305a222c2274797065223a2270726f6d70742d76657273696f6e222c2261706956657273696f6e223a227631222c22616374696f6e223a2263726561746564222c2275736572223a7b226e616d65223a22416e6e222c22656d61696c223a22616e6e406578616d706c652e636f6d227d2c2270726f6d7074223a7b226964223a2270726f6a6563742d34222c226e616d65223a227365617263682f6c61746572222c2276657273696f6e223a312c2270726f6a6563744964223a2270726f6a656374222c22637265617465644279223a227531222c226c6162656c73223a5b226c6174657374225d2c2270726f6d7074223a2257616974222c2274797065223a2274657874222c22636f6e666967223a7b7d2c22636f6d6d69744d657373616765223a6e756c6c2c2274616773223a5b5d2c22637265617465644174223a22323032362d31322d30315430323a31313a32342e3334325a222c22757064617465644174223a22323032362d31322d30315430323a31313a32342e3334325a227d7d');


--
-- Data for Name: firing_changes; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.firing_changes VALUES ('0458d6afcc27765eaad0cd1de04e6b51', 'promoted', '7f02339e55e53b9d85ce412cfa309569', NULL);
INSERT INTO public.firing_changes VALUES ('0458d6afcc27765eaad0cd1de04e6b51', 'tried', '665627c7b74706f4fbd538383054f81a', NULL);
INSERT INTO public.firing_changes VALUES ('3f796c557ab59bc4690100b7b7328761', 'promoted', '831d58b81448f6ae78eda165dfa603a0', NULL);
INSERT INTO public.firing_changes VALUES ('3f796c557ab59bc4690100b7b7328761', 'tried', 'ecf5dbca538ef96bb79032962ff3e9de', NULL);
INSERT INTO public.firing_changes VALUES ('b1568466bdca082437e8e4e1e250e493', 'digest', NULL, '');
INSERT INTO public.firing_changes VALUES ('b1568466bdca082437e8e4e1e250e493', 'tried', '339f7ad1e0f93bc63a8fee5dd66cf684', NULL);


--
-- Data for Name: firings; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.firings VALUES ('339f7ad1e0f93bc63a8fee5dd66cf684', 'tried', 'shadow', '69b3db0b92962ab0', 1796091084484);
INSERT INTO public.firings VALUES ('665627c7b74706f4fbd538383054f81a', 'tried', 'shadow', '69b3db0b92962ab0', 1796091084484);
INSERT INTO public.firings VALUES ('7f02339e55e53b9d85ce412cfa309569', 'promoted', 'live', '69b3db0b92962ab0', 1796091084484);
INSERT INTO public.firings VALUES ('831d58b81448f6ae78eda165dfa603a0', 'promoted', 'live', '69b3db0b92962ab0', 1796091084651);
INSERT INTO public.firings VALUES ('ecf5dbca538ef96bb79032962ff3e9de', 'tried', 'shadow', '69b3db0b92962ab0', 1796091084651);


--
-- Data for Name: labels; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.labels VALUES (1, 'latest', 'project-2', 2, 1796091084341, 1796091084635);
INSERT INTO public.labels VALUES (1, 'production', 'project-1', 1, 1796091084340, 1796091084627);
INSERT INTO public.labels VALUES (2, 'latest', 'project-3', 1, 1796091084339, 1796091084390);


--
-- Data for Name: prompts; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.prompts VALUES (1, 'prod', 'project', 'checkout/cart', 4, '["eu"]', 1796091084341, 1796091084635);
INSERT INTO public.prompts VALUES (2, 'prod', 'project', 'search/rank', 3, '["eu"]', 1796091084339, 1796091084390);


--
-- Data for Name: router_schema; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.router_schema VALUES ('1.0');


--
-- Data for Name: rulesets; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.rulesets VALUES ('69b3db0b92962ab0', '{"matches":{},"rules":[{"actions":[{"to":["sink","refusing","down"]},{"thread":"prompt","to":"bot"}],"match":{"labels_gained":"production"},"name":"promoted"},{"actions":[{"to":"sink"}],"mode":"shadow","name":"tried"},{"actions":[{"to":"sink"}],"match":{"when":"prompt.config.temperature > 1"},"name":"faulty"},{"actions":[{"to":"sink"}],"collect":"3650d","match":{"action":"created"},"name":"digest"}],"times":{},"vars":{}}', 1796091084288);


--
-- Data for Name: threads; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.threads VALUES ('bot', '#prompts', 'prod/project/checkout/cart', '1.0');


--
-- Data for Name: troubles; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.troubles VALUES ('router.delivery_dead', 'refusing', 1796091084563, 1);
INSERT INTO public.troubles VALUES ('router.quarantined', 'prod', 1796091084402, 0);


--
-- Data for Name: verdicts; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.verdicts VALUES ('0458d6afcc27765eaad0cd1de04e6b51', 'faulty', 'error', '[{"clause":"when","wanted":"prompt.config.temperature > 1","got":"line 1: ''temperature'' is undefined","verdict":"error"}]');
INSERT INTO public.verdicts VALUES ('0458d6afcc27765eaad0cd1de04e6b51', 'promoted', 'match', '[{"clause":"labels_gained","wanted":"production","got":["latest","production"],"verdict":"yes"}]');
INSERT INTO public.verdicts VALUES ('0458d6afcc27765eaad0cd1de04e6b51', 'tried', 'match', '[]');
INSERT INTO public.verdicts VALUES ('3f796c557ab59bc4690100b7b7328761', 'faulty', 'error', '[{"clause":"when","wanted":"prompt.config.temperature > 1","got":"line 1: ''temperature'' is undefined","verdict":"error"}]');
INSERT INTO public.verdicts VALUES ('3f796c557ab59bc4690100b7b7328761', 'promoted', 'match', '[{"clause":"labels_gained","wanted":"production","got":["production"],"verdict":"yes"}]');
INSERT INTO public.verdicts VALUES ('3f796c557ab59bc4690100b7b7328761', 'tried', 'match', '[]');
INSERT INTO public.verdicts VALUES ('b1568466bdca082437e8e4e1e250e493', 'digest', 'match', '[{"clause":"action","wanted":"created","got":"created","verdict":"yes"}]');
INSERT INTO public.verdicts VALUES ('b1568466bdca082437e8e4e1e250e493', 'faulty', 'error', '[{"clause":"when","wanted":"prompt.config.temperature > 1","got":"line 1: ''temperature'' is undefined","verdict":"error"}]');
INSERT INTO public.verdicts VALUES ('b1568466bdca082437e8e4e1e250e493', 'tried', 'match', '[]');


--
-- Data for Name: versions; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.versions VALUES (1, 'project-1', 1, 1796091084340, 1796091084627, '["production"]', 1796091084340, 1796091084627, true, false, false, '{"type":"text","prompt":"Hello","config":{},"commit_message":null,"created_by":"u1","created_at":"2026-12-01T00:11:22.911000Z"}');
INSERT INTO public.versions VALUES (1, 'project-2', 2, 1796091084341, 1796091084635, '["latest"]', 1796091084341, 1796091084635, true, false, false, '{"type":"text","prompt":"Hello {{name}}","config":{},"commit_message":null,"created_by":"u1","created_at":"2026-12-01T00:11:22.912000Z"}');
INSERT INTO public.versions VALUES (2, 'project-3', 1, 1796091084339, 1796091084390, '["latest"]', 1796091084339, 1796091084390, true, false, false, '{"type":"text","prompt":"Rank ü\u0000😀","config":{},"commit_message":null,"created_by":"u1","created_at":"2026-12-01T02:11:24.339000Z"}');


--
-- Data for Name: windows; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.windows VALUES ('digest', '', 1796091084498, 2111451084498);


--
-- Name: changes_seq_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.changes_seq_seq', 7, true);


--
-- Name: deliveries_seq_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.deliveries_seq_seq', 11, true);


--
-- Name: events_seq_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.events_seq_seq', 9, true);


--
-- Name: prompts_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.prompts_id_seq', 2, true);


--
-- Name: api_prompts api_prompts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.api_prompts
    ADD CONSTRAINT api_prompts_pkey PRIMARY KEY (source, name);


--
-- Name: api_sources api_sources_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.api_sources
    ADD CONSTRAINT api_sources_pkey PRIMARY KEY (source);


--
-- Name: attempts attempts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_pkey PRIMARY KEY (delivery, fence);


--
-- Name: change_labels change_labels_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.change_labels
    ADD CONSTRAINT change_labels_pkey PRIMARY KEY (change_id, label);


--
-- Name: changes changes_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.changes
    ADD CONSTRAINT changes_id_key UNIQUE (id);


--
-- Name: changes changes_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.changes
    ADD CONSTRAINT changes_pkey PRIMARY KEY (seq);


--
-- Name: deliveries deliveries_firing_action_destination_again_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_firing_action_destination_again_key UNIQUE (firing, action, destination, again);


--
-- Name: deliveries deliveries_key_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_key_key UNIQUE (key);


--
-- Name: deliveries deliveries_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_pkey PRIMARY KEY (seq);


--
-- Name: destinations destinations_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.destinations
    ADD CONSTRAINT destinations_pkey PRIMARY KEY (name, type);


--
-- Name: events events_id_source_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_id_source_key UNIQUE (id, source);


--
-- Name: events events_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (seq);


--
-- Name: firing_changes firing_changes_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.firing_changes
    ADD CONSTRAINT firing_changes_pkey PRIMARY KEY (change_id, rule);


--
-- Name: firings firings_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.firings
    ADD CONSTRAINT firings_pkey PRIMARY KEY (id);


--
-- Name: labels labels_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.labels
    ADD CONSTRAINT labels_pkey PRIMARY KEY (prompt, label);


--
-- Name: prompts prompts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.prompts
    ADD CONSTRAINT prompts_pkey PRIMARY KEY (id);


--
-- Name: prompts prompts_source_project_id_name_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.prompts
    ADD CONSTRAINT prompts_source_project_id_name_key UNIQUE (source, project_id, name);


--
-- Name: router_schema router_schema_pkc; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.router_schema
    ADD CONSTRAINT router_schema_pkc PRIMARY KEY (version_num);


--
-- Name: rulesets rulesets_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.rulesets
    ADD CONSTRAINT rulesets_pkey PRIMARY KEY (digest);


--
-- Name: threads threads_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.threads
    ADD CONSTRAINT threads_pkey PRIMARY KEY (destination, channel, name);


--
-- Name: troubles troubles_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.troubles
    ADD CONSTRAINT troubles_pkey PRIMARY KEY (kind, subject);


--
-- Name: verdicts verdicts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.verdicts
    ADD CONSTRAINT verdicts_pkey PRIMARY KEY (change_id, rule);


--
-- Name: versions versions_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.versions
    ADD CONSTRAINT versions_pkey PRIMARY KEY (prompt, id);


--
-- Name: windows windows_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.windows
    ADD CONSTRAINT windows_pkey PRIMARY KEY (rule, subject);


--
-- Name: api_prompts_differ; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX api_prompts_differ ON public.api_prompts USING btree (source) WHERE (differs IS NOT NULL);


--
-- Name: change_labels_label; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX change_labels_label ON public.change_labels USING btree (label);


--
-- Name: changes_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX changes_at ON public.changes USING btree (at);


--
-- Name: changes_event; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX changes_event ON public.changes USING btree (event);


--
-- Name: changes_prompt_happened_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX changes_prompt_happened_at ON public.changes USING btree (prompt, happened_at);


--
-- Name: deliveries_destination_seq; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX deliveries_destination_seq ON public.deliveries USING btree (destination, seq);


--
-- Name: deliveries_open; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX deliveries_open ON public.deliveries USING btree (destination, status, queued_at) WHERE (status = ANY (ARRAY['pending'::text, 'retrying'::text, 'sending'::text, 'dead'::text]));


--
-- Name: deliveries_ordered; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX deliveries_ordered ON public.deliveries USING btree (destination, order_key, status, seq) WHERE (order_key IS NOT NULL);


--
-- Name: deliveries_prompt_seq; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX deliveries_prompt_seq ON public.deliveries USING btree (prompt, seq);


--
-- Name: deliveries_rule_seq; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX deliveries_rule_seq ON public.deliveries USING btree (rule, seq);


--
-- Name: deliveries_sending; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX deliveries_sending ON public.deliveries USING btree (lease_until) WHERE (status = 'sending'::text);


--
-- Name: deliveries_status_ended_at_rule_destination; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX deliveries_status_ended_at_rule_destination ON public.deliveries USING btree (status, ended_at, rule, destination);


--
-- Name: deliveries_status_seq; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX deliveries_status_seq ON public.deliveries USING btree (status, seq);


--
-- Name: deliveries_waiting; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX deliveries_waiting ON public.deliveries USING btree (destination, type, due_at) WHERE (status = ANY (ARRAY['pending'::text, 'retrying'::text]));


--
-- Name: events_prompt_seq; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX events_prompt_seq ON public.events USING btree (prompt, seq);


--
-- Name: events_quarantined; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX events_quarantined ON public.events USING btree (seq) WHERE (status = 'quarantined'::text);


--
-- Name: events_received_at_source; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX events_received_at_source ON public.events USING btree (received_at, source);


--
-- Name: events_source_seq; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX events_source_seq ON public.events USING btree (source, seq);


--
-- Name: events_status_seq; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX events_status_seq ON public.events USING btree (status, seq);


--
-- Name: events_waiting; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX events_waiting ON public.events USING btree (source, project_id, prompt, received_at) WHERE (status = 'waiting'::text);


--
-- Name: events_waiting_single; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX events_waiting_single ON public.events USING btree (seq) WHERE ((status = 'waiting'::text) AND (prompt IS NULL));


--
-- Name: firing_changes_firing; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX firing_changes_firing ON public.firing_changes USING btree (firing);


--
-- Name: firing_changes_held; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX firing_changes_held ON public.firing_changes USING btree (rule, subject) WHERE (firing IS NULL);


--
-- Name: firings_rule_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX firings_rule_at ON public.firings USING btree (rule, at);


--
-- Name: verdicts_errors; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX verdicts_errors ON public.verdicts USING btree (rule) WHERE (verdict = 'error'::text);


--
-- Name: windows_due_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX windows_due_at ON public.windows USING btree (due_at);


--
-- Name: attempts attempts_delivery_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_delivery_fkey FOREIGN KEY (delivery) REFERENCES public.deliveries(seq) ON DELETE CASCADE;


--
-- Name: change_labels change_labels_change_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.change_labels
    ADD CONSTRAINT change_labels_change_id_fkey FOREIGN KEY (change_id) REFERENCES public.changes(id) ON DELETE CASCADE;


--
-- Name: changes changes_event_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.changes
    ADD CONSTRAINT changes_event_fkey FOREIGN KEY (event) REFERENCES public.events(seq) ON DELETE SET NULL;


--
-- Name: changes changes_prompt_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.changes
    ADD CONSTRAINT changes_prompt_fkey FOREIGN KEY (prompt) REFERENCES public.prompts(id);


--
-- Name: deliveries deliveries_firing_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_firing_fkey FOREIGN KEY (firing) REFERENCES public.firings(id);


--
-- Name: deliveries deliveries_prompt_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_prompt_fkey FOREIGN KEY (prompt) REFERENCES public.prompts(id);


--
-- Name: firing_changes firing_changes_change_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.firing_changes
    ADD CONSTRAINT firing_changes_change_id_fkey FOREIGN KEY (change_id) REFERENCES public.changes(id);


--
-- Name: firing_changes firing_changes_firing_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.firing_changes
    ADD CONSTRAINT firing_changes_firing_fkey FOREIGN KEY (firing) REFERENCES public.firings(id);


--
-- Name: labels labels_prompt_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.labels
    ADD CONSTRAINT labels_prompt_fkey FOREIGN KEY (prompt) REFERENCES public.prompts(id);


--
-- Name: verdicts verdicts_change_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.verdicts
    ADD CONSTRAINT verdicts_change_id_fkey FOREIGN KEY (change_id) REFERENCES public.changes(id) ON DELETE CASCADE;


--
-- Name: versions versions_prompt_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.versions
    ADD CONSTRAINT versions_prompt_fkey FOREIGN KEY (prompt) REFERENCES public.prompts(id);


--
-- PostgreSQL database dump complete
--


