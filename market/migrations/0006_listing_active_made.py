"""A resource's offers by age: without it the newest of a rare resource are looked for among those of all others."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("market", "0005_moves"),
        ("inventory", "0004_items_move"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.AddIndex(
            model_name="listing",
            index=models.Index(
                condition=models.Q(("status", "active")),
                fields=["resource", "created_at", "id"],
                name="listing_active_made",
            ),
        ),
    ]
