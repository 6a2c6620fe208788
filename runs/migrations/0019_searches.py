"""Searches, their trials, and what is judged while runs train."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('runs', '0018_checkpoints'),
    ]

    operations = [
        migrations.CreateModel(
            name='Search',
            fields=[
                ('sweep', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='search', serialize=False, to='runs.sweep')),
                ('metric', models.CharField(help_text='What trials are compared by.', max_length=30)),
                ('trials_wanted', models.PositiveIntegerField(help_text='Trials that it comes to.')),
                ('closed_at', models.DateTimeField(help_text='It makes no more trials since then.', null=True)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('closed_at', None)), fields=['sweep'], name='search_open')],
            },
        ),
        migrations.CreateModel(
            name='Trial',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField(help_text='From 0, in the order in which they were made.')),
                ('point', models.JSONField(help_text='What the search chose.')),
                ('error', models.TextField(blank=True, help_text='Why it could not be trained; it has no runs then.')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('search', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='trials', to='runs.search')),
            ],
            options={
                'ordering': ['number'],
            },
        ),
        migrations.CreateModel(
            name='Rung',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('level', models.PositiveSmallIntegerField(help_text='0 for the first rung.')),
                ('score', models.FloatField(help_text='Mean over its seeds; empty if one was not finite.', null=True)),
                ('goes_on', models.BooleanField()),
                ('arrived', models.PositiveIntegerField(help_text='Trials that had arrived, itself among them.')),
                ('judged_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('trial', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rungs', to='runs.trial')),
            ],
            options={
                'ordering': ['pk'],
            },
        ),
        migrations.AddField(
            model_name='run',
            name='trial',
            field=models.ForeignKey(blank=True, editable=False, help_text='The point of a search that it trains.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='runs', to='runs.trial'),
        ),
        migrations.CreateModel(
            name='Mark',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('rule', models.CharField(choices=[('halving', 'Halving'), ('median', 'Median')], max_length=10)),
                ('level', models.PositiveSmallIntegerField(help_text='0 for the first such step.')),
                ('step', models.PositiveBigIntegerField(help_text='Of the evaluation that counts.')),
                ('value', models.FloatField(help_text='The metric there; the best so far for the median. Empty if not finite.', null=True)),
                ('average', models.FloatField(help_text='For the median: the mean up to there.', null=True)),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='marks', to='runs.run')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('run', 'rule', 'level'), name='mark_is_passed_once')],
            },
        ),
        migrations.AddConstraint(
            model_name='trial',
            constraint=models.UniqueConstraint(fields=('search', 'number'), name='trial_number_is_its_own'),
        ),
        migrations.AddConstraint(
            model_name='rung',
            constraint=models.UniqueConstraint(fields=('trial', 'level'), name='rung_is_judged_once'),
        ),
    ]
