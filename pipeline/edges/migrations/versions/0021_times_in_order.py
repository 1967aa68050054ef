"""decided times are found by when they begin"""

from alembic import op


revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        'ix_cr_decided_time_start_at', 'cr_decided_time', ['start_at', 'end_at', 'original'], unique=False
    )


def downgrade() -> None:
    op.drop_index('ix_cr_decided_time_start_at', table_name='cr_decided_time')
