"""isolations"""

from alembic import op
import sqlalchemy as sa


revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('cr_isolation',
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('original', sa.String(length=26), nullable=False),
    sa.Column('by', sa.Text(), nullable=False),
    sa.Column('begun_at', sa.String(length=27), nullable=False),
    sa.Column('ended_by', sa.Text(), nullable=True),
    sa.Column('ended_why', sa.Text(), nullable=True),
    sa.Column('ended_at', sa.String(length=27), nullable=True),
    sa.ForeignKeyConstraint(['original'], ['cr_original.id'], name=op.f('fk_cr_isolation_original')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cr_isolation'))
    )
    op.create_index(op.f('ix_cr_isolation_original'), 'cr_isolation', ['original'], unique=False)


def downgrade() -> None:
    op.drop_table('cr_isolation')
