"""reasons of links and decided times in Chinese beside the English; the latest events of a type"""

from alembic import op
import sqlalchemy as sa


revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ('cr_decided_time', 'cr_case_link'):
        op.add_column(table, sa.Column('why_zh', sa.Text(), server_default='', nullable=False))
    op.create_index('ix_cr_event_type_seq', 'cr_event', ['type', 'seq'], unique=False)
    op.drop_index('ix_cr_event_type', table_name='cr_event')


def downgrade() -> None:
    op.create_index('ix_cr_event_type', 'cr_event', ['type'], unique=False)
    op.drop_index('ix_cr_event_type_seq', table_name='cr_event')
    for table in ('cr_decided_time', 'cr_case_link'):
        op.drop_column(table, 'why_zh')
