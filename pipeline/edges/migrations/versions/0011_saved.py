"""saved searches and their alerts"""

from alembic import op
import sqlalchemy as sa


revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('cr_saved_search',
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('owner', sa.String(length=120), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('filters', sa.JSON(), nullable=False),
    sa.Column('purpose', sa.Text(), nullable=False),
    sa.Column('saved_at', sa.String(length=27), nullable=False),
    sa.Column('ended_at', sa.String(length=27), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cr_saved_search'))
    )
    op.create_index(op.f('ix_cr_saved_search_owner'), 'cr_saved_search', ['owner'], unique=False)
    op.create_table('cr_alert',
    sa.Column('search', sa.String(length=26), nullable=False),
    sa.Column('original', sa.String(length=26), nullable=False),
    sa.Column('raised_at', sa.String(length=27), nullable=False),
    sa.Column('seen_at', sa.String(length=27), nullable=True),
    sa.ForeignKeyConstraint(['search'], ['cr_saved_search.id'], name=op.f('fk_cr_alert_search')),
    sa.ForeignKeyConstraint(['original'], ['cr_original.id'], name=op.f('fk_cr_alert_original')),
    sa.PrimaryKeyConstraint('search', 'original', name=op.f('pk_cr_alert'))
    )
    op.create_index(op.f('ix_cr_alert_original'), 'cr_alert', ['original'], unique=False)


def downgrade() -> None:
    op.drop_table('cr_alert')
    op.drop_table('cr_saved_search')
