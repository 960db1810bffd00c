"""Sources: places that documents come from, and one row for each thing found there.

Deleting a collection takes its sources along; deleting a document leaves the item that it came from.

Revision ID: 0005
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = (
    """
CREATE TABLE sources (
    id uuid PRIMARY KEY,
    org_id uuid NOT NULL REFERENCES orgs(id),
    collection_id uuid NOT NULL REFERENCES collections(id) ON DELETE CASCADE,
    kind text NOT NULL,
    name text NOT NULL,
    config jsonb NOT NULL,
    refresh_minutes integer,
    state text NOT NULL,
    run integer NOT NULL DEFAULT 0,
    run_key text NOT NULL DEFAULT '',
    position integer NOT NULL DEFAULT 0,
    robots jsonb NOT NULL DEFAULT '{}',
    error_code text,
    error_detail text,
    refreshed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
)
""",
    "CREATE INDEX sources_page ON sources (collection_id, created_at DESC, id DESC)",
    """
CREATE TABLE source_items (
    id uuid PRIMARY KEY,
    org_id uuid NOT NULL REFERENCES orgs(id),
    source_id uuid NOT NULL REFERENCES sources(id) ON DELETE CASCADE,
    key text NOT NULL,
    depth integer NOT NULL DEFAULT 0,
    run integer NOT NULL,
    state text NOT NULL,
    position integer,
    document_id uuid REFERENCES documents(id) ON DELETE SET NULL,
    sha256 text,
    etag text,
    last_modified text,
    detail text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
)
""",
    # A digest, as a key may be longer than an index takes.
    "CREATE UNIQUE INDEX source_items_key ON source_items (source_id, md5(key))",
    "CREATE INDEX source_items_page ON source_items (source_id, created_at DESC, id DESC)",
    (
        "CREATE INDEX source_items_frontier ON source_items (source_id, run, depth, created_at, id) "
        "WHERE state = 'waiting'"
    ),
    "CREATE INDEX source_items_document ON source_items (document_id)",
)
TENANT_TABLES = ("sources", "source_items")


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)
    for table in TENANT_TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY tenant ON {table} "
            "USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid))"
        )
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO everturn_app")


def downgrade() -> None:
    op.execute("DROP TABLE source_items, sources")
