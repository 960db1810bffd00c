"""When a host may be asked again, for all sources of an organisation that lead to it.

Revision ID: 0007
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
CREATE TABLE source_hosts (
    org_id uuid NOT NULL REFERENCES orgs(id),
    host text NOT NULL,
    holder uuid NOT NULL,
    held_until timestamptz NOT NULL,
    free_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, host)
)
"""
    )
    op.execute("ALTER TABLE source_hosts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY tenant ON source_hosts "
        "USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid))"
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON source_hosts TO everturn_app")


def downgrade() -> None:
    op.execute("DROP TABLE source_hosts")
