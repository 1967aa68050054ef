"""accounts whose persons sign in by the bureau's own service: who they are there"""

from alembic import op
import sqlalchemy as sa


revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('cr_account', sa.Column('subject', sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column('cr_account', 'subject')
