"""Images and files that came with a message; their bytes are in object storage.

Revision ID: 0014
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # No reference to the message: it is stored when its turn begins, and this when it is posted.
    op.execute(
        """
CREATE TABLE message_attachments (
    org_id uuid NOT NULL REFERENCES orgs(id),
    message_id uuid NOT NULL,
    position integer NOT NULL CHECK (position > 0),
    conversation_id uuid NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
    name text NOT NULL,
    media_type text NOT NULL,
    size integer NOT NULL CHECK (size > 0),
    sha256 text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, message_id, position)
)
"""
    )
    op.execute("CREATE INDEX message_attachments_conversation ON message_attachments (conversation_id)")
    op.execute("ALTER TABLE message_attachments ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY tenant ON message_attachments "
        "USING (org_id = (SELECT nullif(current_setting('app.org_id', true), '')::uuid))"
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON message_attachments TO everturn_app")


def downgrade() -> None:
    op.execute("DROP TABLE message_attachments")
