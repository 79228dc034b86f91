"""How storage fails."""

from router.domain.problem import RouterError


class StoreError(RouterError):
    """The store cannot be used as it is; the text says why, in one line."""


class StoreNotMigrated(StoreError):
    """The schema is older than this program: somebody has to upgrade it first."""


class StoreUnavailable(RouterError):
    """The database did not take or answer this now (gone, locked, disk full); later it may."""
