"""reasons of links and decided times in Chinese beside the English"""

from alembic import op
import sqlalchemy as sa


revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ('cr_decided_time', 'cr_case_link'):
        op.add_column(table, sa.Column('why_zh', sa.Text(), server_default='', nullable=False))


def downgrade() -> None:
    for table in ('cr_decided_time', 'cr_case_link'):
        op.drop_column(table, 'why_zh')
