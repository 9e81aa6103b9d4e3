"""contacts, companies, deals, products

Revision: 0010
Follows: 0009
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')
KEY = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
EXACT = sa.Numeric(precision=20, scale=4).with_variant(sa.BigInteger(), 'sqlite')


def upgrade() -> None:
    op.create_table('pipeline',
    sa.Column('id', KEY, nullable=False),
    sa.Column('key', sa.String(length=100), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_pipeline')),
    sa.UniqueConstraint('key', name=op.f('uq_pipeline_key'))
    )
    op.create_table('product',
    sa.Column('id', KEY, nullable=False),
    sa.Column('parent_id', KEY, nullable=True),
    sa.Column('sku', sa.String(length=100), nullable=True),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('section', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('unit', sa.String(length=100), nullable=False),
    sa.Column('prices', JSON, nullable=False),
    sa.Column('tax_rate', EXACT, nullable=True),
    sa.Column('tax_included', sa.Boolean(), nullable=False),
    sa.Column('options', JSON, nullable=False),
    sa.Column('image_url', sa.Text(), nullable=True),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('from_file', sa.Boolean(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['parent_id'], ['product.id'], name=op.f('fk_product_parent_id_product')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_product')),
    sa.UniqueConstraint('sku', name=op.f('uq_product_sku'))
    )
    with op.batch_alter_table('product') as batch_op:
        batch_op.create_index(batch_op.f('ix_product_name'), ['name'], unique=False)
        batch_op.create_index(batch_op.f('ix_product_parent_id'), ['parent_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_product_section'), ['section'], unique=False)

    op.create_table('company',
    sa.Column('id', KEY, nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('domain', sa.String(length=253), nullable=True),
    sa.Column('email', sa.Text(), nullable=True),
    sa.Column('phone', sa.String(length=100), nullable=True),
    sa.Column('street', sa.Text(), nullable=True),
    sa.Column('city', sa.Text(), nullable=True),
    sa.Column('region', sa.Text(), nullable=True),
    sa.Column('postal_code', sa.String(length=100), nullable=True),
    sa.Column('country', sa.String(length=2), nullable=True),
    sa.Column('owner_id', KEY, nullable=True),
    sa.Column('source_id', KEY, nullable=True),
    sa.Column('tags', JSON, nullable=False),
    sa.Column('fields', JSON, nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('merged_into_id', KEY, nullable=True),
    sa.ForeignKeyConstraint(['merged_into_id'], ['company.id'], name=op.f('fk_company_merged_into_id_company')),
    sa.ForeignKeyConstraint(['owner_id'], ['user_account.id'], name=op.f('fk_company_owner_id_user_account')),
    sa.ForeignKeyConstraint(['source_id'], ['source.id'], name=op.f('fk_company_source_id_source')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_company'))
    )
    with op.batch_alter_table('company') as batch_op:
        batch_op.create_index(batch_op.f('ix_company_created_at'), ['created_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_company_domain'), ['domain'], unique=False)
        batch_op.create_index(batch_op.f('ix_company_name'), ['name'], unique=False)
        batch_op.create_index('ix_company_owner_id_id', ['owner_id', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_company_phone'), ['phone'], unique=False)

    op.create_table('stage',
    sa.Column('id', KEY, nullable=False),
    sa.Column('pipeline_id', KEY, nullable=False),
    sa.Column('key', sa.String(length=100), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('group', sa.Enum('open', 'won', 'lost', name='stagegroup', native_enum=False, length=20), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('probability', sa.Integer(), nullable=False),
    sa.Column('requires', JSON, nullable=False),
    sa.Column('reason_required', sa.Boolean(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['pipeline_id'], ['pipeline.id'], name=op.f('fk_stage_pipeline_id_pipeline')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_stage')),
    sa.UniqueConstraint('pipeline_id', 'key', name=op.f('uq_stage_pipeline_id_key'))
    )
    op.create_table('contact',
    sa.Column('id', KEY, nullable=False),
    sa.Column('person_id', KEY, nullable=True),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('first_name', sa.Text(), nullable=False),
    sa.Column('last_name', sa.Text(), nullable=False),
    sa.Column('position', sa.Text(), nullable=True),
    sa.Column('email', sa.Text(), nullable=True),
    sa.Column('phone', sa.String(length=100), nullable=True),
    sa.Column('company_id', KEY, nullable=True),
    sa.Column('owner_id', KEY, nullable=True),
    sa.Column('source_id', KEY, nullable=True),
    sa.Column('tags', JSON, nullable=False),
    sa.Column('fields', JSON, nullable=False),
    sa.Column('consent', sa.Boolean(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('merged_into_id', KEY, nullable=True),
    sa.ForeignKeyConstraint(['company_id'], ['company.id'], name=op.f('fk_contact_company_id_company')),
    sa.ForeignKeyConstraint(['merged_into_id'], ['contact.id'], name=op.f('fk_contact_merged_into_id_contact')),
    sa.ForeignKeyConstraint(['owner_id'], ['user_account.id'], name=op.f('fk_contact_owner_id_user_account')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_contact_person_id_person')),
    sa.ForeignKeyConstraint(['source_id'], ['source.id'], name=op.f('fk_contact_source_id_source')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_contact')),
    sa.UniqueConstraint('person_id', name=op.f('uq_contact_person_id'))
    )
    with op.batch_alter_table('contact') as batch_op:
        batch_op.create_index(batch_op.f('ix_contact_company_id'), ['company_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_contact_created_at'), ['created_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_contact_name'), ['name'], unique=False)
        batch_op.create_index('ix_contact_owner_id_id', ['owner_id', 'id'], unique=False)

    op.create_table('deal',
    sa.Column('id', KEY, nullable=False),
    sa.Column('number', sa.String(length=100), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('pipeline_id', KEY, nullable=False),
    sa.Column('stage_id', KEY, nullable=False),
    sa.Column('state', sa.Enum('open', 'won', 'lost', name='stagegroup', native_enum=False, length=20), nullable=False),
    sa.Column('amount', EXACT, nullable=True),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('from_lines', sa.Boolean(), nullable=False),
    sa.Column('probability', sa.Integer(), nullable=True),
    sa.Column('expected_close', sa.Date(), nullable=True),
    sa.Column('owner_id', KEY, nullable=True),
    sa.Column('company_id', KEY, nullable=True),
    sa.Column('contact_id', KEY, nullable=True),
    sa.Column('lead_id', KEY, nullable=True),
    sa.Column('source_id', KEY, nullable=True),
    sa.Column('tags', JSON, nullable=False),
    sa.Column('fields', JSON, nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('stage_since', sa.DateTime(timezone=True), nullable=False),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('closing_reason', sa.String(length=100), nullable=True),
    sa.Column('closing_note', sa.Text(), nullable=False),
    sa.Column('idle_days', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['company_id'], ['company.id'], name=op.f('fk_deal_company_id_company')),
    sa.ForeignKeyConstraint(['contact_id'], ['contact.id'], name=op.f('fk_deal_contact_id_contact')),
    sa.ForeignKeyConstraint(['lead_id'], ['lead.id'], name=op.f('fk_deal_lead_id_lead')),
    sa.ForeignKeyConstraint(['owner_id'], ['user_account.id'], name=op.f('fk_deal_owner_id_user_account')),
    sa.ForeignKeyConstraint(['pipeline_id'], ['pipeline.id'], name=op.f('fk_deal_pipeline_id_pipeline')),
    sa.ForeignKeyConstraint(['source_id'], ['source.id'], name=op.f('fk_deal_source_id_source')),
    sa.ForeignKeyConstraint(['stage_id'], ['stage.id'], name=op.f('fk_deal_stage_id_stage')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_deal'))
    )
    with op.batch_alter_table('deal') as batch_op:
        batch_op.create_index(batch_op.f('ix_deal_closed_at'), ['closed_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_deal_company_id'), ['company_id'], unique=False)
        batch_op.create_index('ix_deal_contact_id_state', ['contact_id', 'state'], unique=False)
        batch_op.create_index(batch_op.f('ix_deal_created_at'), ['created_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_deal_lead_id'), ['lead_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_deal_number'), ['number'], unique=False)
        batch_op.create_index('ix_deal_owner_id_state', ['owner_id', 'state'], unique=False)
        batch_op.create_index('ix_deal_stage_id_id', ['stage_id', 'id'], unique=False)
        batch_op.create_index('ix_deal_state_id', ['state', 'id'], unique=False)

    op.create_table('deal_contact',
    sa.Column('deal_id', KEY, nullable=False),
    sa.Column('contact_id', KEY, nullable=False),
    sa.Column('role', sa.String(length=100), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['contact_id'], ['contact.id'], name=op.f('fk_deal_contact_contact_id_contact')),
    sa.ForeignKeyConstraint(['deal_id'], ['deal.id'], name=op.f('fk_deal_contact_deal_id_deal'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('deal_id', 'contact_id', name=op.f('pk_deal_contact'))
    )
    with op.batch_alter_table('deal_contact') as batch_op:
        batch_op.create_index(batch_op.f('ix_deal_contact_contact_id'), ['contact_id'], unique=False)

    op.create_table('deal_line',
    sa.Column('id', KEY, nullable=False),
    sa.Column('deal_id', KEY, nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('product_id', KEY, nullable=True),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('unit', sa.String(length=100), nullable=False),
    sa.Column('quantity', EXACT, nullable=False),
    sa.Column('price', EXACT, nullable=False),
    sa.Column('discount', EXACT, nullable=False),
    sa.Column('discount_is_amount', sa.Boolean(), nullable=False),
    sa.Column('tax_rate', EXACT, nullable=False),
    sa.Column('tax_included', sa.Boolean(), nullable=False),
    sa.Column('net', EXACT, nullable=False),
    sa.Column('tax', EXACT, nullable=False),
    sa.Column('total', EXACT, nullable=False),
    sa.ForeignKeyConstraint(['deal_id'], ['deal.id'], name=op.f('fk_deal_line_deal_id_deal'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['product_id'], ['product.id'], name=op.f('fk_deal_line_product_id_product')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_deal_line'))
    )
    with op.batch_alter_table('deal_line') as batch_op:
        batch_op.create_index(batch_op.f('ix_deal_line_deal_id'), ['deal_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_deal_line_product_id'), ['product_id'], unique=False)

    op.create_table('stage_stay',
    sa.Column('id', KEY, nullable=False),
    sa.Column('deal_id', KEY, nullable=False),
    sa.Column('stage_id', KEY, nullable=False),
    sa.Column('entered_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('left_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('actor', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['deal_id'], ['deal.id'], name=op.f('fk_stage_stay_deal_id_deal'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['stage_id'], ['stage.id'], name=op.f('fk_stage_stay_stage_id_stage')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_stage_stay'))
    )
    with op.batch_alter_table('stage_stay') as batch_op:
        batch_op.create_index(batch_op.f('ix_stage_stay_deal_id'), ['deal_id'], unique=False)
        batch_op.create_index('ix_stage_stay_stage_id_entered_at', ['stage_id', 'entered_at'], unique=False)

    with op.batch_alter_table('activity') as batch_op:
        batch_op.add_column(sa.Column('company_id', KEY, nullable=True))
        batch_op.create_index(batch_op.f('ix_activity_company_id'), ['company_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_activity_contact_id'), ['contact_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_activity_deal_id'), ['deal_id'], unique=False)
        batch_op.create_foreign_key(batch_op.f('fk_activity_deal_id_deal'), 'deal', ['deal_id'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_activity_contact_id_contact'), 'contact', ['contact_id'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_activity_company_id_company'), 'company', ['company_id'], ['id'])

    with op.batch_alter_table('attachment') as batch_op:
        batch_op.add_column(sa.Column('contact_id', KEY, nullable=True))
        batch_op.add_column(sa.Column('company_id', KEY, nullable=True))
        batch_op.add_column(sa.Column('deal_id', KEY, nullable=True))
        batch_op.alter_column('lead_id',
               existing_type=sa.INTEGER(),
               nullable=True)
        batch_op.create_index(batch_op.f('ix_attachment_company_id'), ['company_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_attachment_contact_id'), ['contact_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_attachment_deal_id'), ['deal_id'], unique=False)
        batch_op.create_foreign_key(batch_op.f('fk_attachment_deal_id_deal'), 'deal', ['deal_id'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_attachment_company_id_company'), 'company', ['company_id'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_attachment_contact_id_contact'), 'contact', ['contact_id'], ['id'])

    with op.batch_alter_table('call') as batch_op:
        batch_op.add_column(sa.Column('company_id', KEY, nullable=True))
        batch_op.add_column(sa.Column('deal_id', KEY, nullable=True))
        batch_op.create_index(batch_op.f('ix_call_company_id'), ['company_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_call_contact_id'), ['contact_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_call_deal_id'), ['deal_id'], unique=False)
        batch_op.create_foreign_key(batch_op.f('fk_call_company_id_company'), 'company', ['company_id'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_call_deal_id_deal'), 'deal', ['deal_id'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_call_contact_id_contact'), 'contact', ['contact_id'], ['id'])

    with op.batch_alter_table('lead') as batch_op:
        batch_op.add_column(sa.Column('own_status', sa.String(length=100), nullable=True))
        batch_op.add_column(sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('closing_reason', sa.Text(), nullable=True))
        batch_op.create_index(batch_op.f('ix_lead_company_id'), ['company_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_lead_contact_id'), ['contact_id'], unique=False)
        batch_op.create_foreign_key(batch_op.f('fk_lead_company_id_company'), 'company', ['company_id'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_lead_contact_id_contact'), 'contact', ['contact_id'], ['id'])

    with op.batch_alter_table('timeline_entry') as batch_op:
        batch_op.add_column(sa.Column('company_id', KEY, nullable=True))
        batch_op.add_column(sa.Column('deal_id', KEY, nullable=True))
        batch_op.add_column(sa.Column('pinned', sa.Boolean(), server_default='0', nullable=False))
        batch_op.create_index('ix_timeline_entry_company_id_id', ['company_id', 'id'], unique=False)
        batch_op.create_index('ix_timeline_entry_contact_id_id', ['contact_id', 'id'], unique=False)
        batch_op.create_index('ix_timeline_entry_deal_id_id', ['deal_id', 'id'], unique=False)
        batch_op.create_foreign_key(batch_op.f('fk_timeline_entry_deal_id_deal'), 'deal', ['deal_id'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_timeline_entry_company_id_company'), 'company', ['company_id'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_timeline_entry_contact_id_contact'), 'contact', ['contact_id'], ['id'])

    with op.batch_alter_table('workspace') as batch_op:
        batch_op.add_column(sa.Column('crm', JSON, server_default='{}', nullable=False))



def downgrade() -> None:
    with op.batch_alter_table('workspace') as batch_op:
        batch_op.drop_column('crm')

    with op.batch_alter_table('timeline_entry') as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_timeline_entry_contact_id_contact'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('fk_timeline_entry_company_id_company'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('fk_timeline_entry_deal_id_deal'), type_='foreignkey')
        batch_op.drop_index('ix_timeline_entry_deal_id_id')
        batch_op.drop_index('ix_timeline_entry_contact_id_id')
        batch_op.drop_index('ix_timeline_entry_company_id_id')
        batch_op.drop_column('pinned')
        batch_op.drop_column('deal_id')
        batch_op.drop_column('company_id')

    with op.batch_alter_table('lead') as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_lead_contact_id_contact'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('fk_lead_company_id_company'), type_='foreignkey')
        batch_op.drop_index(batch_op.f('ix_lead_contact_id'))
        batch_op.drop_index(batch_op.f('ix_lead_company_id'))
        batch_op.drop_column('closing_reason')
        batch_op.drop_column('closed_at')
        batch_op.drop_column('own_status')

    with op.batch_alter_table('call') as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_call_contact_id_contact'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('fk_call_deal_id_deal'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('fk_call_company_id_company'), type_='foreignkey')
        batch_op.drop_index(batch_op.f('ix_call_deal_id'))
        batch_op.drop_index(batch_op.f('ix_call_contact_id'))
        batch_op.drop_index(batch_op.f('ix_call_company_id'))
        batch_op.drop_column('deal_id')
        batch_op.drop_column('company_id')

    op.execute('DELETE FROM attachment WHERE lead_id IS NULL')
    with op.batch_alter_table('attachment') as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_attachment_contact_id_contact'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('fk_attachment_company_id_company'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('fk_attachment_deal_id_deal'), type_='foreignkey')
        batch_op.drop_index(batch_op.f('ix_attachment_deal_id'))
        batch_op.drop_index(batch_op.f('ix_attachment_contact_id'))
        batch_op.drop_index(batch_op.f('ix_attachment_company_id'))
        batch_op.alter_column('lead_id',
               existing_type=sa.INTEGER(),
               nullable=False)
        batch_op.drop_column('deal_id')
        batch_op.drop_column('company_id')
        batch_op.drop_column('contact_id')

    with op.batch_alter_table('activity') as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_activity_company_id_company'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('fk_activity_contact_id_contact'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('fk_activity_deal_id_deal'), type_='foreignkey')
        batch_op.drop_index(batch_op.f('ix_activity_deal_id'))
        batch_op.drop_index(batch_op.f('ix_activity_contact_id'))
        batch_op.drop_index(batch_op.f('ix_activity_company_id'))
        batch_op.drop_column('company_id')

    with op.batch_alter_table('stage_stay') as batch_op:
        batch_op.drop_index('ix_stage_stay_stage_id_entered_at')
        batch_op.drop_index(batch_op.f('ix_stage_stay_deal_id'))

    op.drop_table('stage_stay')
    with op.batch_alter_table('deal_line') as batch_op:
        batch_op.drop_index(batch_op.f('ix_deal_line_product_id'))
        batch_op.drop_index(batch_op.f('ix_deal_line_deal_id'))

    op.drop_table('deal_line')
    with op.batch_alter_table('deal_contact') as batch_op:
        batch_op.drop_index(batch_op.f('ix_deal_contact_contact_id'))

    op.drop_table('deal_contact')
    with op.batch_alter_table('deal') as batch_op:
        batch_op.drop_index('ix_deal_state_id')
        batch_op.drop_index('ix_deal_stage_id_id')
        batch_op.drop_index('ix_deal_owner_id_state')
        batch_op.drop_index(batch_op.f('ix_deal_number'))
        batch_op.drop_index(batch_op.f('ix_deal_lead_id'))
        batch_op.drop_index(batch_op.f('ix_deal_created_at'))
        batch_op.drop_index('ix_deal_contact_id_state')
        batch_op.drop_index(batch_op.f('ix_deal_company_id'))
        batch_op.drop_index(batch_op.f('ix_deal_closed_at'))

    op.drop_table('deal')
    with op.batch_alter_table('contact') as batch_op:
        batch_op.drop_index('ix_contact_owner_id_id')
        batch_op.drop_index(batch_op.f('ix_contact_name'))
        batch_op.drop_index(batch_op.f('ix_contact_created_at'))
        batch_op.drop_index(batch_op.f('ix_contact_company_id'))

    op.drop_table('contact')
    op.drop_table('stage')
    with op.batch_alter_table('company') as batch_op:
        batch_op.drop_index(batch_op.f('ix_company_phone'))
        batch_op.drop_index('ix_company_owner_id_id')
        batch_op.drop_index(batch_op.f('ix_company_name'))
        batch_op.drop_index(batch_op.f('ix_company_domain'))
        batch_op.drop_index(batch_op.f('ix_company_created_at'))

    op.drop_table('company')
    with op.batch_alter_table('product') as batch_op:
        batch_op.drop_index(batch_op.f('ix_product_section'))
        batch_op.drop_index(batch_op.f('ix_product_parent_id'))
        batch_op.drop_index(batch_op.f('ix_product_name'))

    op.drop_table('product')
    op.drop_table('pipeline')
