from enum import StrEnum


class CodeEnum(StrEnum):
    BAD_CREDENTIALS = "bad_credentials"
    BALANCE_LIMIT = "balance_limit"
    CONFLICT = "conflict"
    EMAIL_TAKEN = "email_taken"
    IDEMPOTENCY_IN_PROGRESS = "idempotency_in_progress"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    INSUFFICIENT_COINS = "insufficient_coins"
    INSUFFICIENT_ITEMS = "insufficient_items"
    INTERNAL_ERROR = "internal_error"
    INVALID = "invalid"
    LEVEL_TOO_LOW = "level_too_low"
    LISTING_NOT_ACTIVE = "listing_not_active"
    LOGIN_TAKEN = "login_taken"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    NOT_ACCEPTABLE = "not_acceptable"
    NOT_AUTHENTICATED = "not_authenticated"
    NOT_FOUND = "not_found"
    NOT_GATHERABLE = "not_gatherable"
    NOT_TRADEABLE = "not_tradeable"
    OWN_LISTING = "own_listing"
    PARSE_ERROR = "parse_error"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    PERMISSION_DENIED = "permission_denied"
    PROFESSION_LIMIT = "profession_limit"
    PROFESSION_REQUIRED = "profession_required"
    RATE_LIMITED = "rate_limited"
    SERVICE_UNAVAILABLE = "service_unavailable"
    SESSION_EXPIRED = "session_expired"
    TOKEN_INVALID = "token_invalid"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"

    def __str__(self) -> str:
        return str(self.value)
