"""sections and pictures of products

Revision: 0038
Follows: 0037
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = '0038'
down_revision = '0037'
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    section = op.create_table('product_section',
    sa.Column('id', KEY, nullable=False),
    sa.Column('parent_id', KEY, nullable=True),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('path', sa.Text(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('created_at', MOMENT, nullable=False),
    sa.Column('updated_at', MOMENT, nullable=False),
    sa.ForeignKeyConstraint(['parent_id'], ['product_section.id'], name=op.f('fk_product_section_parent_id_product_section')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_product_section')),
    sa.UniqueConstraint('path', name=op.f('uq_product_section_path'))
    )
    op.create_index('ix_product_section_parent_id', 'product_section', ['parent_id'])
    with op.batch_alter_table('product') as batch_op:
        batch_op.add_column(sa.Column('section_id', KEY, nullable=True))
        batch_op.add_column(sa.Column('image_place', sa.Text(), nullable=True))
        batch_op.add_column(sa.Column('image_kind', sa.String(length=100), nullable=True))
        batch_op.add_column(sa.Column('image_size', sa.Integer(), nullable=True))
        batch_op.create_foreign_key('fk_product_section_id_product_section', 'product_section', ['section_id'], ['id'])
        batch_op.create_index('ix_product_section_id', ['section_id'])
    _sections_of_products(section)


def _sections_of_products(section: sa.Table) -> None:
    """A section was a text so far; a '>' in one parts it, as it does from now on."""
    product = sa.table('product', sa.column('section', sa.Text()), sa.column('section_id', KEY))
    connection = op.get_bind()
    ids: dict[str, int] = {}
    for (written,) in connection.execute(sa.select(product.c.section).distinct()).all():
        names = [name.strip() for name in written.split('>') if name.strip()]
        parent = None
        for depth in range(len(names)):
            path = ' > '.join(names[: depth + 1])
            if path not in ids:
                now = datetime.now(UTC)
                made = connection.execute(section.insert().values(
                    parent_id=parent, name=names[depth], path=path, position=0, created_at=now, updated_at=now,
                ))
                ids[path] = made.inserted_primary_key[0]
            parent = ids[path]
        chosen = product.update().where(product.c.section == written)
        connection.execute(chosen.values(section=' > '.join(names), section_id=parent))


def downgrade() -> None:
    with op.batch_alter_table('product') as batch_op:
        batch_op.drop_index('ix_product_section_id')
        batch_op.drop_constraint('fk_product_section_id_product_section', type_='foreignkey')
        for name in ('section_id', 'image_place', 'image_kind', 'image_size'):
            batch_op.drop_column(name)
    op.drop_index('ix_product_section_parent_id', 'product_section')
    op.drop_table('product_section')
