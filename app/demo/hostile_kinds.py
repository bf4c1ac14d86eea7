"""The kinds of hostile portals."""

from app.demo.core.hostility import Hostility, confuse_times, dripping, never, slowly, swell, unending
from app.demo.lies import ENDLESS_STATISTICS, FAT_TEXTS, INVENTED_PEOPLE, WILD_NUMBERS

HOSTILITIES = {
    "slow": Hostility(deliver=slowly),
    "silent": Hostility(deliver=never),
    "dripping": Hostility(lies=(ENDLESS_STATISTICS,), deliver=dripping),
    "unending": Hostility(deliver=unending),
    "huge": Hostility(spoil=swell),
    "endless": Hostility(lies=(ENDLESS_STATISTICS,)),
    "fat": Hostility(lies=(ENDLESS_STATISTICS, FAT_TEXTS)),
    "inventing": Hostility(lies=INVENTED_PEOPLE),
    "wild": Hostility(lies=(ENDLESS_STATISTICS, *WILD_NUMBERS), spoil=confuse_times),
}
"""One hostility of each kind. The kind that redirects needs an address: `Hostility().towards(origin)`."""
