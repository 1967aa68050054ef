"""retention, holds by two, disposals with their steps"""

from alembic import op
import sqlalchemy as sa

from pipeline.edges.database import tables

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BEFORE = "'received', 'in_custody', 'searchable', 'ready', 'attention', 'failed_custody'"
NOW = f"{BEFORE}, 'disposed'"


def upgrade() -> None:
    # Nothing ever wrote these three before this step.
    for name in ("cr_disposal", "cr_hold", "cr_retention_class"):
        op.drop_table(name)
    op.create_table(
        "cr_retained",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("original", sa.String(26)),
        sa.Column("case", sa.String(26)),
        sa.Column("case_key", sa.String(160)),
        sa.Column("printed", sa.Text),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("from_on", sa.String(10)),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("rules", sa.String(80), nullable=False),
        sa.Column("decided_at", tables.Instant, nullable=False),
        sa.Column("ended_at", tables.Instant),
        sa.Column("ended_by", sa.Text),
        sa.Column("ended_why", sa.Text),
        *_keys("cr_retained", "original", "case"),
    )
    op.create_table(
        "cr_hold",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("original", sa.String(26)),
        sa.Column("case", sa.String(26)),
        sa.Column("case_key", sa.String(160)),
        sa.Column("printed", sa.Text),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("from_at", tables.Instant, nullable=False),
        sa.Column("release_asked_by", sa.Text),
        sa.Column("release_asked_at", tables.Instant),
        sa.Column("release_reason", sa.Text),
        sa.Column("released_by", sa.Text),
        sa.Column("released_at", tables.Instant),
        sa.CheckConstraint("kind IN ('hold', 'review', 'litigation', 'petition')", name=op.f("ck_cr_hold_kind")),
        *_keys("cr_hold", "original", "case"),
    )
    op.create_table(
        "cr_disposal",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("original", sa.String(26), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("until_at", tables.Instant, nullable=False),
        sa.Column("rules", sa.String(80), nullable=False),
        sa.Column("proposed_by", sa.Text, nullable=False),
        sa.Column("proposed_role", sa.String(20), nullable=False),
        sa.Column("proposed_at", tables.Instant, nullable=False),
        sa.Column("approved_by", sa.Text),
        sa.Column("approved_role", sa.String(20)),
        sa.Column("approved_at", tables.Instant),
        sa.Column("begun_at", tables.Instant),
        sa.Column("ended_at", tables.Instant),
        sa.Column("ended_by", sa.Text),
        sa.Column("ended_why", sa.Text),
        sa.Column("certificate", sa.JSON),
        sa.CheckConstraint(
            "state IN ('proposed', 'approved', 'begun', 'done', 'cancelled', 'stopped')",
            name=op.f("ck_cr_disposal_state"),
        ),
        *_keys("cr_disposal", "original"),
    )
    op.create_table(
        "cr_clock",
        sa.Column("host", sa.String(120), nullable=False),
        sa.Column("wall_at", tables.Instant, nullable=False),
        sa.Column("ticks_s", sa.Float, nullable=False),
        sa.Column("boot", sa.String(40), nullable=False),
        sa.Column("sure_at", tables.Instant, nullable=False),
        sa.Column("doubt", sa.Boolean, nullable=False),
        sa.Column("agreed_s", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("host", name=op.f("pk_cr_clock")),
    )
    for table, columns in {
        "cr_retained": ("original", "case"), "cr_hold": ("original", "case"), "cr_disposal": ("original", "state"),
    }.items():
        for column in columns:
            op.create_index(op.f(f"ix_{table}_{column}"), table, [column])
    _allow_states(BEFORE, NOW)


def downgrade() -> None:
    _allow_states(NOW, BEFORE)
    for name in ("cr_clock", "cr_disposal", "cr_hold", "cr_retained"):
        op.drop_table(name)
    op.create_table(
        "cr_retention_class",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("months", sa.Integer),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cr_retention_class")),
        sa.UniqueConstraint("name", name=op.f("uq_cr_retention_class_name")),
    )
    op.create_table(
        "cr_hold",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("original", sa.String(26)),
        sa.Column("case", sa.String(26)),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("from_at", tables.Instant, nullable=False),
        sa.Column("released_at", tables.Instant),
        *_keys("cr_hold", "original", "case"),
    )
    op.create_table(
        "cr_disposal",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("original", sa.String(26), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("proposed_by", sa.Text, nullable=False),
        sa.Column("approved_by", sa.Text),
        sa.Column("proposed_at", tables.Instant, nullable=False),
        sa.Column("approved_at", tables.Instant),
        sa.Column("done_at", tables.Instant),
        *_keys("cr_disposal", "original"),
    )
    for table, columns in {"cr_hold": ("original", "case"), "cr_disposal": ("original",)}.items():
        for column in columns:
            op.create_index(op.f(f"ix_{table}_{column}"), table, [column])


def _keys(table: str, *columns: str) -> list[sa.Constraint]:
    found: list[sa.Constraint] = [sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}"))]
    for column in columns:
        found.append(
            sa.ForeignKeyConstraint([column], [f"cr_{column}.id"], name=op.f(f"fk_{table}_{column}"))
        )
    return found


def _allow_states(before: str, now: str) -> None:
    """The states an original may have are these.

    On SQLite the constraint's text is changed where it stands: the table is not copied, for others refer to it.
    Source: sqlite.org/lang_altertable.html, 7 (changes that do not affect the content on disk).
    """
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(op.f("ck_cr_original_state"), "cr_original", type_="check")
        op.create_check_constraint(op.f("ck_cr_original_state"), "cr_original", f"state IN ({now})")
        return
    connection = op.get_bind()
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar()
    connection.exec_driver_sql("PRAGMA writable_schema=ON")
    changed = connection.execute(
        sa.text("UPDATE sqlite_master SET sql = replace(sql, :before, :now) "
                "WHERE type = 'table' AND name = 'cr_original' AND sql LIKE '%' || :before || '%'"),
        {"before": f"({before})", "now": f"({now})"},
    )
    connection.exec_driver_sql(f"PRAGMA schema_version={version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema=OFF")
    if changed.rowcount != 1:
        raise RuntimeError("cr_original does not have the states that this step changes")
