"""what each person has played of each original"""

from alembic import op
import sqlalchemy as sa


revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('cr_watched',
    sa.Column('person', sa.String(length=120), nullable=False),
    sa.Column('original', sa.String(length=26), nullable=False),
    sa.Column('stretches', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['original'], ['cr_original.id'], name=op.f('fk_cr_watched_original')),
    sa.PrimaryKeyConstraint('person', 'original', name=op.f('pk_cr_watched'))
    )


def downgrade() -> None:
    op.drop_table('cr_watched')
