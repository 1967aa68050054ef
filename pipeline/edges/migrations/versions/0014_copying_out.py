"""requests for the bytes of one original"""

from alembic import op
import sqlalchemy as sa


revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('cr_export', schema=None) as batch_op:
        batch_op.add_column(sa.Column('original', sa.String(length=26), nullable=True))
        batch_op.create_foreign_key(batch_op.f('fk_cr_export_original'), 'cr_original', ['original'], ['id'])
        batch_op.create_index(batch_op.f('ix_cr_export_original'), ['original'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('cr_export', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_cr_export_original'))
        batch_op.drop_constraint(batch_op.f('fk_cr_export_original'), type_='foreignkey')
        batch_op.drop_column('original')
