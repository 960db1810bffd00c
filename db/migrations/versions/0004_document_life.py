"""The life of a document: its versions, what became of each page, and vectors that are never computed twice.

Revision ID: 0004
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TENANT_TABLES = ("document_versions", "document_pages", "embeddings")

TABLES = """
ALTER TABLE documents
    ADD COLUMN version integer NOT NULL DEFAULT 1,
    ADD COLUMN ocr_pages integer NOT NULL DEFAULT 0,
    ADD COLUMN ocr_pages_done integer NOT NULL DEFAULT 0;

CREATE INDEX documents_filename ON documents (collection_id, filename);
CREATE INDEX documents_unfinished ON documents (org_id, updated_at) WHERE state NOT IN ('ready', 'failed');

CREATE TABLE document_versions (
    document_id uuid NOT NULL REFERENCES documents(id) ON DELETE CASCADE,
    number integer NOT NULL,
    org_id uuid NOT NULL REFERENCES orgs(id),
    filename text NOT NULL,
    media_type text NOT NULL,
    size_bytes bigint NOT NULL,
    sha256 text NOT NULL,
    state text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (document_id, number)
);

CREATE TABLE document_pages (
    document_id uuid NOT NULL REFERENCES documents(id) ON DELETE CASCADE,
    page integer NOT NULL,
    org_id uuid NOT NULL REFERENCES orgs(id),
    revision integer NOT NULL,
    state text NOT NULL,
    method text NOT NULL,
    characters integer NOT NULL DEFAULT 0,
    confidence double precision,
    error text,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (document_id, page)
);

CREATE TABLE embeddings (
    org_id uuid NOT NULL REFERENCES orgs(id),
    model text NOT NULL,
    content_hash bytea NOT NULL,
    vector bytea NOT NULL,
    used_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, model, content_hash)
);
CREATE INDEX embeddings_used ON embeddings (org_id, used_at);
CREATE INDEX idempotency_keys_age ON idempotency_keys (org_id, created_at);
"""

# The owner of the tables is under their policies too, so for these statements they are lifted from it.
BACKFILL = """
ALTER TABLE documents NO FORCE ROW LEVEL SECURITY;

INSERT INTO document_versions (document_id, number, org_id, filename, media_type, size_bytes, sha256, state, created_at)
SELECT id, 1, org_id, filename, media_type, size_bytes, sha256,
    CASE state WHEN 'ready' THEN 'current' WHEN 'failed' THEN 'failed' ELSE 'pending' END, created_at
FROM documents;

ALTER TABLE documents FORCE ROW LEVEL SECURITY;
"""

# Maintenance goes through the organisations one by one, each under its own tenant. Only their ids are
# known without a tenant, and only to a transaction that says that it is maintenance.
LIST_ORGS = """
CREATE FUNCTION list_orgs() RETURNS TABLE (id uuid) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.maintenance', 'on', true);
    RETURN QUERY SELECT o.id FROM orgs o ORDER BY o.id;
    PERFORM set_config('app.maintenance', '', true);
END $$
"""


def upgrade() -> None:
    # asyncpg prepares every statement, and a prepared statement is one command.
    for script in (TABLES, BACKFILL):
        for statement in script.split(";\n"):
            if statement.strip():
                op.execute(statement)
    for table in TENANT_TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY tenant ON {table} "
            "USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid))"
        )
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO everturn_app")
    op.execute(
        "CREATE POLICY maintenance ON orgs FOR SELECT "
        "USING ((SELECT current_setting('app.maintenance', true)) IS NOT DISTINCT FROM 'on')"
    )
    op.execute(LIST_ORGS)


def downgrade() -> None:
    op.execute("DROP FUNCTION list_orgs")
    op.execute("DROP POLICY maintenance ON orgs")
    for table in TENANT_TABLES:
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP INDEX documents_filename, documents_unfinished, idempotency_keys_age")
    op.execute("ALTER TABLE documents DROP COLUMN version, DROP COLUMN ocr_pages, DROP COLUMN ocr_pages_done")
