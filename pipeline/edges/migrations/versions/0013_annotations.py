"""bookmarks, notes and nudged clocks"""

from alembic import op
import sqlalchemy as sa


revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('cr_annotation',
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('original', sa.String(length=26), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('kind', sa.String(length=10), nullable=False),
    sa.Column('at_s', sa.Float(), nullable=False),
    sa.Column('to_s', sa.Float(), nullable=True),
    sa.Column('pts', sa.BigInteger(), nullable=True),
    sa.Column('to_pts', sa.BigInteger(), nullable=True),
    sa.Column('pts_unit', sa.String(length=40), nullable=True),
    sa.Column('corrected_at', sa.String(length=27), nullable=True),
    sa.Column('uncertainty_s', sa.Float(), nullable=True),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('shared', sa.Boolean(), nullable=False),
    sa.Column('by', sa.String(length=120), nullable=False),
    sa.Column('made_at', sa.String(length=27), nullable=False),
    sa.Column('beside', sa.String(length=26), nullable=True),
    sa.Column('offset_s', sa.Float(), nullable=True),
    sa.Column('withdrawn_at', sa.String(length=27), nullable=True),
    sa.CheckConstraint("kind IN ('bookmark', 'note', 'nudge')", name=op.f('ck_cr_annotation_kind')),
    sa.ForeignKeyConstraint(['original'], ['cr_original.id'], name=op.f('fk_cr_annotation_original')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cr_annotation'))
    )
    op.create_index(op.f('ix_cr_annotation_original'), 'cr_annotation', ['original'], unique=False)


def downgrade() -> None:
    op.drop_table('cr_annotation')
