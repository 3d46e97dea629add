"""Brings databases of the schema versions 1, 2 and 3 to one state: the numbers that there were before these files.

A number did not say everything, because some columns and indexes came without a new one. So each step looks
whether it is needed, which later files need not do.
"""

from peewee import (
    BlobField,
    BooleanField,
    CompositeKey,
    DoubleField,
    ForeignKeyField,
    IntegerField,
    Model,
    PostgresqlDatabase,
)

#: Bytes of a part of a file, as models.FilePart has them.
PART = 256 * 1024
GONE_INDEXES = [
    *("documents_type", "files_type", "users_status", "users_role_id", "folders_created_at_id"),
    *("conversation_members_conversation_id", "event_attendees_event_id"),
    "folders_name",  # was unique and on other columns than the index that has this name now
]
INDEXES = [
    ("documents", ("type", "updated_at", "author_id")),
    ("documents", ("author_id", "size")),
    ("files", ("type", "created_at", "owner_id")),
    ("users", ("status", "name")),
    ("users", ("role_id", "status")),
    ("notifications", ("target_type", "target_id")),
    ("notifications", ("actor_id", "created_at")),
    ("conversation_members", ("conversation_id", "id")),
    ("event_attendees", ("event_id", "id")),
]


def up(migrator, db):
    class Row(Model):
        id = IntegerField(primary_key=True)

        class Meta:
            database = db

    class User(Row):
        class Meta:
            table_name = "users"

    class File(Row):
        class Meta:
            table_name = "files"

    class FilePart(Model):
        file = ForeignKeyField(File, on_delete="CASCADE", index=False)
        number = IntegerField()
        data = BlobField()

        class Meta:
            database = db
            table_name = "file_parts"
            primary_key = CompositeKey("file", "number")

    def has(table, column):
        return column in {each.name for each in db.get_columns(table)}

    def refers_to_a_user(**options):
        return ForeignKeyField(User, field=User.id, null=True, on_delete="SET NULL", **options)

    def add_index(table, columns, unique=False, name=None):
        if name not in {index.name for index in db.get_indexes(table)}:
            migrator.migrate(migrator.add_index(table, columns, unique, name=name))

    if db.table_exists("file_bytes"):  # of version 1: all bytes of a file in one row
        db.create_tables([FilePart])
        db.execute_sql(f"""
            WITH RECURSIVE part (file_id, number) AS (
                SELECT file_id, 0 FROM file_bytes WHERE length(data) > 0
                UNION ALL
                SELECT part.file_id, number + 1 FROM part JOIN file_bytes USING (file_id)
                WHERE length(data) > (number + 1) * {PART}
            )
            INSERT INTO file_parts (file_id, number, data)
            SELECT file_id, number, substr(data, number * {PART} + 1, {PART}) FROM part JOIN file_bytes USING (file_id)
        """)  # noqa: S608
        migrator.migrate(migrator.drop_table("file_bytes"))
    if has("conversations", "avatar"):
        migrator.migrate(migrator.drop_column("conversations", "avatar"))
    if not has("conversation_members", "away"):
        migrator.migrate(migrator.add_column("conversation_members", "away", BooleanField(default=False)))
    if not has("conversations", "creator_id"):
        migrator.migrate(migrator.add_column("conversations", "creator_id", refers_to_a_user()))
    if not has("notifications", "actor_id"):
        migrator.migrate(migrator.add_column("notifications", "actor_id", refers_to_a_user(index=False)))
    if isinstance(db, PostgresqlDatabase):  # in the first days its type had too few digits for a time
        migrator.migrate(migrator.alter_column_type("refresh_tokens", "spent_at", DoubleField()))
    for name in GONE_INDEXES:
        db.execute_sql(f'DROP INDEX IF EXISTS "{name}"')
    for table, columns in INDEXES:
        add_index(table, columns, name="_".join((table, *columns)))
    add_index("folders", ("owner_id", "parent_id", "name"), unique=True, name="folders_owner_parent_name")
    db.execute_sql("DELETE FROM settings WHERE key = 'version'")
