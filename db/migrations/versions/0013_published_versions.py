"""Since when a search finds each version of a document, so that a citation can be opened in the one it quotes.

Revision ID: 0013
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# The owner of the table is under its policy too, so for the second statement it is lifted from it. When others
# were published before this nobody wrote down; the first that is found now was so at the earliest when it came.
STATEMENTS = (
    "ALTER TABLE document_versions ADD COLUMN published_at timestamptz",
    "ALTER TABLE document_versions NO FORCE ROW LEVEL SECURITY",
    "UPDATE document_versions SET published_at = created_at WHERE state = 'current'",
    "ALTER TABLE document_versions FORCE ROW LEVEL SECURITY",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("ALTER TABLE document_versions DROP COLUMN published_at")
