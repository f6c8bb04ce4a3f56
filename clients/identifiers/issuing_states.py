"""Codes of states and organisations that issue travel documents, as machine-readable zones print them.

Rule: ISO 3166-1 alpha-3 with the additions of ICAO Doc 9303 part 3, section 5; the table is written out, because no
check digit guards the state, and a canonical form must not change with a library. A new code is a new version of the
type that reads it.

It says nothing about who recognises whom.
"""

_COUNTRIES = """
    ABW AFG AGO AIA ALA ALB AND ARE ARG ARM ASM ATA ATF ATG AUS AUT AZE BDI BEL BEN BES BFA BGD BGR BHR BHS BIH BLM
    BLR BLZ BMU BOL BRA BRB BRN BTN BVT BWA CAF CAN CCK CHE CHL CHN CIV CMR COD COG COK COL COM CPV CRI CUB CUW CXR
    CYM CYP CZE DJI DMA DNK DOM DZA ECU EGY ERI ESH ESP EST ETH FIN FJI FLK FRA FRO FSM GAB GBR GEO GGY GHA GIB GIN
    GLP GMB GNB GNQ GRC GRD GRL GTM GUF GUM GUY HKG HMD HND HRV HTI HUN IDN IMN IND IOT IRL IRN IRQ ISL ISR ITA JAM
    JEY JOR JPN KAZ KEN KGZ KHM KIR KNA KOR KWT LAO LBN LBR LBY LCA LIE LKA LSO LTU LUX LVA MAC MAF MAR MCO MDA MDG
    MDV MEX MHL MKD MLI MLT MMR MNE MNG MNP MOZ MRT MSR MTQ MUS MWI MYS MYT NAM NCL NER NFK NGA NIC NIU NLD NOR NPL
    NRU NZL OMN PAK PAN PCN PER PHL PLW PNG POL PRI PRK PRT PRY PSE PYF QAT REU ROU RUS RWA SAU SDN SEN SGP SGS SHN
    SJM SLB SLE SLV SMR SOM SPM SRB SSD STP SUR SVK SVN SWE SWZ SXM SYC SYR TCA TCD TGO THA TJK TKL TKM TLS TON TTO
    TUN TUR TUV TWN TZA UGA UKR UMI URY USA UZB VAT VCT VEN VGB VIR VNM VUT WLF WSM YEM ZAF ZMB ZWE
"""
# Germany, the classes of British nationality, Kosovo, the specimen state, organisations, and persons without a state.
_ADDITIONS = """
    D EUE GBD GBN GBO GBP GBS RKS UNA UNK UNO UTO XBA XCC XCE XCO XEC XIM XMP XOM XPO XES XDC XXA XXB XXC XXX
"""
_CODES = frozenset(_COUNTRIES.split()) | frozenset(_ADDITIONS.split())
_GERMANY_IN_ISO, _GERMANY = "DEU", "D"


def issuing_state(code: str) -> str | None:
    """The code as documents print it, from upper-case letters without fillers; None if it is not one."""
    printed = _GERMANY if code == _GERMANY_IN_ISO else code
    return printed if printed in _CODES else None
