"""export packages and their approvals"""

from alembic import op
import sqlalchemy as sa
from pipeline.edges.database import tables


revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('cr_export',
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('case_key', sa.String(length=160), nullable=False),
    sa.Column('printed', sa.Text(), nullable=False),
    sa.Column('purpose', sa.Text(), nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('selection', sa.String(length=64), nullable=False),
    sa.Column('files', sa.Integer(), nullable=False),
    sa.Column('size_bytes', sa.BigInteger(), nullable=False),
    sa.Column('missing', sa.Integer(), nullable=False),
    sa.Column('folder', sa.Text(), nullable=True),
    sa.Column('manifest', sa.String(length=64), nullable=True),
    sa.Column('asked_by', sa.Text(), nullable=False),
    sa.Column('asked_login', sa.Text(), nullable=False),
    sa.Column('asked_at', tables.Instant(length=27), nullable=False),
    sa.Column('decided_by', sa.Text(), nullable=True),
    sa.Column('decided_login', sa.Text(), nullable=True),
    sa.Column('decided_at', tables.Instant(length=27), nullable=True),
    sa.Column('ended_at', tables.Instant(length=27), nullable=True),
    sa.Column('received_by', sa.Text(), nullable=True),
    sa.Column('received_at', tables.Instant(length=27), nullable=True),
    sa.CheckConstraint("state IN ('requested', 'approved', 'refused', 'writing', 'sealed', 'finished', 'failed')", name=op.f('ck_cr_export_state')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cr_export'))
    )
    with op.batch_alter_table('cr_export', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cr_export_case_key'), ['case_key'], unique=False)
        batch_op.create_index(batch_op.f('ix_cr_export_state'), ['state'], unique=False)


def downgrade() -> None:
    op.drop_table('cr_export')
