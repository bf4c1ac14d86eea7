"""Every table of Callbook, to be bound to a database."""

from app.calls.tables import (
    CallLegTable,
    CallOperatorTable,
    CallTable,
    SavedViewTable,
    StatisticsMarkTable,
    UndecodableEventTable,
    UsageTable,
)
from app.people.tables import DepartmentTable, MemberTable, PersonTable, StructureTable, UserPreferencesTable
from app.portals.tables import (
    FactTable,
    ForgottenPortalTable,
    LeaseTable,
    PendingInstallationTable,
    PortalSettingsTable,
    PortalTable,
    RateBucketTable,
    RestExchangeTable,
    UninstallCheckTable,
)

TABLES = (
    PortalTable,
    UninstallCheckTable,
    ForgottenPortalTable,
    PendingInstallationTable,
    RestExchangeTable,
    RateBucketTable,
    LeaseTable,
    FactTable,
    CallTable,
    CallLegTable,
    CallOperatorTable,
    UndecodableEventTable,
    StatisticsMarkTable,
    SavedViewTable,
    UsageTable,
    PersonTable,
    UserPreferencesTable,
    DepartmentTable,
    MemberTable,
    StructureTable,
    PortalSettingsTable,
)
