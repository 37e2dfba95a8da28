"""Season and weather: what gathering and crafting yield just now."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from bcraftd.tracked import Tracked, outside_triggers


class Season(Tracked):
    """Some months of the year, perhaps across its end: winter is months 12 to 2. Months are those of UTC."""

    name = models.CharField(unique=True, max_length=32)
    start_month = models.PositiveSmallIntegerField(validators=[MinValueValidator(1), MaxValueValidator(12)])
    end_month = models.PositiveSmallIntegerField(validators=[MinValueValidator(1), MaxValueValidator(12)])
    gathering_multiplier = models.DecimalField(max_digits=4, decimal_places=2, validators=[MinValueValidator(0)])
    crafting_multiplier = models.DecimalField(max_digits=4, decimal_places=2, validators=[MinValueValidator(0)])

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(start_month__gte=1, start_month__lte=12, end_month__gte=1, end_month__lte=12),
                name="season_months_range",
            ),
            models.CheckConstraint(
                condition=Q(gathering_multiplier__gte=0, crafting_multiplier__gte=0), name="season_multipliers_range"
            ),
        ]
        triggers = outside_triggers()

    def __str__(self) -> str:
        return self.name


class Weather(Tracked):
    """One kind of weather. Exactly one is active; the others follow it by environment.rules.weather_after."""

    name = models.CharField(unique=True, max_length=32)
    gathering_multiplier = models.DecimalField(max_digits=4, decimal_places=2, validators=[MinValueValidator(0)])
    crafting_multiplier = models.DecimalField(max_digits=4, decimal_places=2, validators=[MinValueValidator(0)])
    duration_minutes = models.PositiveIntegerField(validators=[MinValueValidator(1), MaxValueValidator(10080)])
    is_active = models.BooleanField(default=False, editable=False)
    active_since = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "weather"
        constraints = [
            models.UniqueConstraint(fields=["is_active"], condition=Q(is_active=True), name="weather_one_active"),
            models.CheckConstraint(
                condition=Q(duration_minutes__gte=1, duration_minutes__lte=10080), name="weather_duration_range"
            ),
            models.CheckConstraint(
                condition=Q(gathering_multiplier__gte=0, crafting_multiplier__gte=0), name="weather_multipliers_range"
            ),
        ]
        triggers = outside_triggers()

    def __str__(self) -> str:
        return self.name
