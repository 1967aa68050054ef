"""times corrected by hand"""

from alembic import op
import sqlalchemy as sa


revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('cr_time_correction',
    sa.Column('original', sa.String(length=26), nullable=False),
    sa.Column('start_at', sa.String(length=27), nullable=False),
    sa.Column('end_at', sa.String(length=27), nullable=True),
    sa.Column('uncertainty_s', sa.Float(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('by', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['original'], ['cr_original.id'], name=op.f('fk_cr_time_correction_original')),
    sa.PrimaryKeyConstraint('original', name=op.f('pk_cr_time_correction'))
    )
    with op.batch_alter_table('cr_decided_time', schema=None) as batch_op:
        batch_op.add_column(sa.Column('by_rules', sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('cr_decided_time', schema=None) as batch_op:
        batch_op.drop_column('by_rules')
    op.drop_table('cr_time_correction')
