"""rules about deals and contacts

Revision: 0021
Follows: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = '0021'
down_revision = '0020'
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')


def upgrade() -> None:
    for table in ('run', 'trace'):
        with op.batch_alter_table(table) as batch_op:
            batch_op.alter_column('lead_id', existing_type=KEY, nullable=True)
            for element in ('deal', 'contact'):
                column, there = f'{element}_id', sa.text(f'{element}_id IS NOT NULL')
                batch_op.add_column(sa.Column(column, KEY, nullable=True))
                batch_op.create_foreign_key(batch_op.f(f'fk_{table}_{column}_{element}'), element, [column], ['id'])
                batch_op.create_index(f'ix_{table}_{column}', [column], unique=False, postgresql_where=there, sqlite_where=there)


def downgrade() -> None:
    # What is about no lead was not there before.
    op.execute("DELETE FROM step WHERE run_id IN (SELECT id FROM run WHERE lead_id IS NULL)")
    for table in ('run', 'trace'):
        op.execute(f"DELETE FROM {table} WHERE lead_id IS NULL")
        with op.batch_alter_table(table) as batch_op:
            for element in ('contact', 'deal'):
                column = f'{element}_id'
                batch_op.drop_index(f'ix_{table}_{column}')
                batch_op.drop_constraint(batch_op.f(f'fk_{table}_{column}_{element}'), type_='foreignkey')
                batch_op.drop_column(column)
            batch_op.alter_column('lead_id', existing_type=KEY, nullable=False)
