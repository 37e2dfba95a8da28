"""The admin and the docs of the API in a real browser: Debian's chromium, by playwright."""
