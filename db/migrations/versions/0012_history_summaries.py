"""What was said in a conversation before the messages a model still reads, in a few lines.

Revision ID: 0012
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # upto: the last message that the summary covers. It is never changed: a longer history gets a row of its own.
    op.execute(
        """
CREATE TABLE history_summaries (
    conversation_id uuid NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
    upto integer NOT NULL CHECK (upto > 0),
    org_id uuid NOT NULL REFERENCES orgs(id),
    text text NOT NULL,
    written_by text NOT NULL CHECK (written_by IN ('extractive', 'model')),
    provider text,
    model text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (conversation_id, upto)
)
"""
    )
    op.execute("ALTER TABLE history_summaries ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY tenant ON history_summaries "
        "USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid))"
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON history_summaries TO everturn_app")


def downgrade() -> None:
    op.execute("DROP TABLE history_summaries")
