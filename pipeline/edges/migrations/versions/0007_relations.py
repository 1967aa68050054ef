"""relations of originals"""

from alembic import op
import sqlalchemy as sa


revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('cr_relation',
    sa.Column('number', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('original', sa.String(length=26), nullable=False),
    sa.Column('turn', sa.String(length=40), nullable=False),
    sa.Column('other', sa.String(length=26), nullable=False),
    sa.Column('relation', sa.String(length=20), nullable=False),
    sa.Column('offset_s', sa.Float(), nullable=False),
    sa.Column('own_offset_s', sa.Float(), nullable=False),
    sa.Column('length_s', sa.Float(), nullable=False),
    sa.Column('score', sa.Float(), nullable=False),
    sa.ForeignKeyConstraint(['original'], ['cr_original.id'], name=op.f('fk_cr_relation_original')),
    sa.ForeignKeyConstraint(['other'], ['cr_original.id'], name=op.f('fk_cr_relation_other')),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_cr_relation')),
    sa.UniqueConstraint('original', 'other', name=op.f('uq_cr_relation_original_other'))
    )
    with op.batch_alter_table('cr_relation', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cr_relation_original'), ['original'], unique=False)
        batch_op.create_index(batch_op.f('ix_cr_relation_other'), ['other'], unique=False)
    # They stood among the properties of the later one, and stayed when the other was disposed of.
    op.execute(sa.text("DELETE FROM cr_property WHERE name = 'relations.same_source'"))


def downgrade() -> None:
    op.drop_table('cr_relation')
