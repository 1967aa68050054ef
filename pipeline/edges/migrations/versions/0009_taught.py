"""what recordings teach of their devices, by index"""

from alembic import op
import sqlalchemy as sa


revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TAUGHT = sa.text("name IN ('clock.lesson', 'clock.open')")


def upgrade() -> None:
    op.create_index(
        'ix_cr_property_taught', 'cr_property', ['name', 'found'], unique=False, sqlite_where=TAUGHT,
        postgresql_where=TAUGHT)


def downgrade() -> None:
    op.drop_index('ix_cr_property_taught', table_name='cr_property')
