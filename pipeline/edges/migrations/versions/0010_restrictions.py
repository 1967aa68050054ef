"""restrictions"""

from alembic import op
import sqlalchemy as sa


revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('cr_restriction',
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('original', sa.String(length=26), nullable=True),
    sa.Column('case_key', sa.String(length=160), nullable=True),
    sa.Column('printed', sa.Text(), nullable=True),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('units', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('persons', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('by', sa.Text(), nullable=False),
    sa.Column('role', sa.String(length=20), nullable=False),
    sa.Column('from_at', sa.String(length=27), nullable=False),
    sa.Column('lifted_by', sa.Text(), nullable=True),
    sa.Column('lifted_why', sa.Text(), nullable=True),
    sa.Column('lifted_at', sa.String(length=27), nullable=True),
    sa.CheckConstraint("kind IN ('work_secret', 'trade_secret', 'personal_privacy')", name=op.f('ck_cr_restriction_kind')),
    sa.ForeignKeyConstraint(['original'], ['cr_original.id'], name=op.f('fk_cr_restriction_original')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cr_restriction'))
    )
    with op.batch_alter_table('cr_restriction', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cr_restriction_case_key'), ['case_key'], unique=False)
        batch_op.create_index(batch_op.f('ix_cr_restriction_original'), ['original'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('cr_restriction', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_cr_restriction_original'))
        batch_op.drop_index(batch_op.f('ix_cr_restriction_case_key'))

    op.drop_table('cr_restriction')
