"""Labels of documents, and of the sources that give them theirs.

Revision ID: 0010
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# labels_stale: the index does not say yet what the row says; found again by maintenance when a process died between.
STATEMENTS = (
    "ALTER TABLE documents ADD COLUMN labels jsonb NOT NULL DEFAULT '{}'",
    "ALTER TABLE documents ADD COLUMN labels_stale boolean NOT NULL DEFAULT false",
    "CREATE INDEX documents_labels_stale ON documents (org_id) WHERE labels_stale",
    "ALTER TABLE sources ADD COLUMN labels jsonb NOT NULL DEFAULT '{}'",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("ALTER TABLE sources DROP COLUMN labels")
    op.execute("ALTER TABLE documents DROP COLUMN labels_stale, DROP COLUMN labels")
