"""The platforms whose account names are known here, each with its own rules.

Rule: one line of facts a platform, from its public rules for names and links. Lengths lean to the generous side, since
old accounts keep names that new ones may not choose; a wrong refusal loses a record, a wrong acceptance loses nothing.
All of them take capital and small letters for one name. Where a platform ignores a sign (Facebook's full stop), so do
we. Adding a platform adds forms; changing a rule that changes forms is a new version of the type `handle`.

Not here: numeric account numbers, groups, channels by number, invitations, and platforms that know people by phone
number (WhatsApp, Viber).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class Platform:
    """What is known of one platform.

    `called` are other words for it, `hosts` of its profile links. `profile` matches the path of a link to an account,
    the name being the group that matched; `parameter` names the account where the path does not. First path segments
    in `pages` are pages of the platform itself. `name` is the rule for names in lower case and `rule` the
    same in words; `marks` may lead a written name, `ignored` signs do not count. `letters` are those of "any" writing
    system or "latin".
    """

    slug: str
    called: str
    hosts: str
    profile: str
    name: str
    rule: str
    pages: str = ""
    parameter: str = ""
    marks: str = "@"
    ignored: str = ""
    letters: str = "latin"
    profile_of: re.Pattern[str] = field(init=False, repr=False)
    name_of: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "profile_of", re.compile(f"(?:{self.profile})(?:/.*)?", re.DOTALL))
        object.__setattr__(self, "name_of", re.compile(self.name))


_LIST = (
    Platform(
        "telegram", "tg telegramm", "t.me telegram.me telegram.dog tg:resolve", "/(?:s/)?@?([^/]+)",
        "(?!.*__)[a-z][a-z0-9_]{2,30}[a-z0-9]",
        "4 to 32 letters, digits and single underscores, of which the first is a letter",
        "addemoji addlist addstickers addstyle addtheme auction auth bg boost c call confirmphone contact giftcode "
        "invoice iv joinchat login m msg nft proxy setlanguage share socks web", "domain",
    ),
    Platform(
        "instagram", "ig insta", "instagram.com instagr.am ig.me", "/(?:stories/|_u/|m/)?@?([^/]+)",
        r"(?!.*\.\.)(?!\.)[a-z0-9._]{1,30}(?<!\.)", "up to 30 letters, digits, underscores and single full stops",
        "p reel reels tv explore accounts direct about legal developer highlights s share",
    ),
    Platform(
        "threads", "", "threads.net threads.com", "/@([^/]+)",
        r"(?!.*\.\.)(?!\.)[a-z0-9._]{1,30}(?<!\.)", "up to 30 letters, digits, underscores and single full stops",
    ),
    Platform(
        "facebook", "fb facebookmessenger messenger", "facebook.com fb.com m.me messenger.com",
        r"/(?:people|pages)/[^/]+/([0-9]+)|/p/[^/]+-([0-9]{6,})|/(?:pg/|t/)?([^/]+)", "[a-z0-9]{5,50}|[0-9]{1,20}",
        "5 to 50 letters and digits, whatever full stops, or the number of the profile",
        "groups events watch marketplace pages people p photo photo.php story.php permalink.php sharer sharer.php "
        "share login login.php hashtag gaming reel reels stories help media messages settings", "id", ignored=".",
    ),
    Platform(
        "x", "twitter", "x.com twitter.com", "/@?([^/]+)", "[a-z0-9_]{1,15}",
        "up to 15 letters, digits and underscores",
        "i home explore search hashtag intent settings messages notifications share login signup tos privacy",
        "screen_name",
    ),
    Platform(
        "tiktok", "", "tiktok.com", "/@([^/]+)", r"[a-z0-9._]{2,24}(?<!\.)",
        "2 to 24 letters, digits, underscores and full stops",
    ),
    Platform(
        "snapchat", "snap sc", "snapchat.com", "/(?:add/|@)([^/]+)", "[a-z][a-z0-9._-]{1,13}[a-z0-9]",
        "3 to 15 letters, digits and one of . - _ within, of which the first is a letter",
    ),
    Platform(
        "youtube", "yt", "youtube.com", "/@([^/]+)", "[a-z0-9](?:[a-z0-9._·-]{1,28})[a-z0-9]",
        "3 to 30 letters, digits and . - _ within", letters="any",
    ),
    Platform(
        "reddit", "", "reddit.com", "/(?:u|user)/([^/]+)", "[a-z0-9_-]{3,20}",
        "3 to 20 letters, digits, underscores and hyphens", marks="/?u/|@",
    ),
    Platform(
        "discord", "", "discord.com", "/(?!)()", r"(?!.*\.\.)[a-z0-9._]{2,32}",
        "2 to 32 letters, digits, underscores and single full stops; names with # and four digits ended in 2023",
    ),
    Platform(
        "twitch", "", "twitch.tv", "/([^/]+)", "[a-z0-9_]{3,25}", "3 to 25 letters, digits and underscores",
        "videos directory p downloads jobs turbo settings",
    ),
    Platform(
        "vk", "vkontakte", "vk.com vk.ru vkontakte.ru",
        "/(?!(?:wall|photo|video|audio|album|topic|doc|story|clip)s?-?[0-9])([^/]+)", "[a-z0-9_.]{3,32}",
        "3 to 32 letters, digits, underscores and full stops",
        "feed im friends groups away.php share.php login search market music",
    ),
    Platform(
        "ok", "odnoklassniki okru", "ok.ru odnoklassniki.ru", "/(?:profile/)?([^/]+)", "[a-z0-9._-]{1,64}",
        "up to 64 letters, digits and . - _", "group feed search dk video music",
    ),
    Platform(
        "onlyfans", "of", "onlyfans.com", "/([^/]+)", "[a-z0-9._-]{2,40}", "2 to 40 letters, digits and . - _",
        "my posts help terms privacy",
    ),
    Platform(
        "kik", "kikmessenger", "kik.me", "/(?:u/)?([^/]+)", "[a-z0-9._]{2,30}",
        "2 to 30 letters, digits, underscores and full stops",
    ),
    Platform(
        "skype", "skypeid", "", "/(?!)()", "[a-z0-9.,:_-]{6,64}", "6 to 64 letters, digits and . , : - _"
    ),
    Platform(
        "signal", "", "signal.me", "/(?!)()", r"[a-z_][a-z0-9_]{2,31}\.[0-9]{2,20}",
        "3 to 32 letters, digits and underscores, then a full stop and two digits or more",
    ),
    Platform(
        "wechat", "weixin wechatid", "", "/(?!)()", "[a-z][a-z0-9_-]{5,31}",
        "6 to 32 letters, digits, underscores and hyphens, of which the first is a letter",
    ),
    Platform(
        "linkedin", "", "linkedin.com", "/(?:in|pub)/([^/]+)", "[a-z0-9-]{3,100}",
        "3 to 100 letters, digits and hyphens",
        letters="any",
    ),
    Platform(
        "pinterest", "", "pinterest.com pinterest.de pinterest.fr pinterest.es pinterest.it pinterest.co.uk",
        "/([^/]+)", "[a-z0-9_]{3,30}", "3 to 30 letters, digits and underscores", "pin ideas search settings",
    ),
    Platform("linktree", "linktr", "linktr.ee", "/([^/]+)", "[a-z0-9._]{1,30}", "up to 30 letters, digits and . _"),
    Platform(
        "cashapp", "cashtag", "cash.app", r"/[$£]([^/]+)", "(?=.*[a-z])[a-z0-9_-]{1,20}",
        "up to 20 letters, digits, hyphens and underscores, of which one is a letter", marks=r"\$|£|@",
    ),
    Platform(
        "paypal", "paypalme", "paypal.me paypal.com", "/(?:paypalme/)?([^/]+)", "[a-z0-9]{1,20}",
        "up to 20 letters and digits", "us uk de fr es cgi-bin signin donate webapps myaccount",
    ),
    Platform(
        "venmo", "", "venmo.com account.venmo.com", "/(?:u/)?([^/]+)", "[a-z0-9_-]{5,30}",
        "5 to 30 letters, digits, hyphens and underscores", "code about legal",
    ),
    Platform("roblox", "", "", "/(?!)()", "[a-z0-9_]{3,20}", "3 to 20 letters, digits and underscores"),
)  # fmt: skip

PLATFORMS: Mapping[str, Platform] = MappingProxyType({each.slug: each for each in _LIST})
_CALLED = {word: each for each in _LIST for word in (each.slug, *each.called.split())}
_AT_HOST = {host: each for each in _LIST for host in each.hosts.split()}
_FRONT = re.compile(r"(?:www|m|mobile|web|touch|old|new|[a-z]{2}(?:-[a-z]{2})?)\.")


def platform_called(word: str) -> Platform | None:
    """The platform that a word names: "Telegram", "IG", "twitter.com"; None if it names none."""
    plain = "".join(character for character in word.casefold() if character.isalnum() or character == ".")
    return _CALLED.get(plain) or platform_at(plain)


def platform_at(host: str) -> Platform | None:
    """The platform that has its profiles at a host in lower case; None if none has."""
    return _AT_HOST.get(host) or _AT_HOST.get(_FRONT.sub("", host, count=1))
