"""The parameters of a link that say where the reader came from and not where the link leads.

Rule: a written list, so that everybody drops the same ones: each is documented by an advertiser, a social network or a
mail sender as a mark of the click. What may change the page (ref, id, source, si) is not on it. A change of the list is
a new version of the type `url`.
"""

_PREFIXES = ("utm_", "mtm_", "hsa_", "__cft__", "__tn__", "fb_action_")
_NAME_WORDS = """
    fbclid fb_source fb_ref mibextid gclid gclsrc gbraid wbraid gad_source gad_campaignid dclid srsltid _ga _gl
    msclkid yclid ysclid _openstat twclid __twitter_impression ttclid igshid igsh li_fat_id epik sccid rdt_cid
    pk_campaign pk_kwd pk_source pk_medium pk_content pk_cid _hsenc _hsmi vero_id vero_conv oly_enc_id oly_anon_id
    mc_cid mc_eid mkt_tok ml_subscriber ml_subscriber_hash s_cid wickedid rb_clickid irclickid cjevent
"""
_NAMES = frozenset(_NAME_WORDS.split())


def is_tracking(name: str) -> bool:
    """Whether a parameter of this name is dropped; letter case does not count."""
    plain = name.lower()
    return plain in _NAMES or plain.startswith(_PREFIXES)
