"""Given names that are one name in several spellings, for requests about persons.

Rule: a line is one name as passports of several countries write it, in A to Z, and where it is used in that script, as
the Arabic letters come out by ICAO Doc 9303. The list is short on purpose, names that files are full of; rules of
letters (`clients.spellings.person_letter_rules`) do the rest. It serves the asking side alone: no deposited
form depends on it, so a line may be added at any time.

It says nothing about where somebody is from.
"""

from collections.abc import Mapping

from clients.identifiers.person_letters import transliterated

_FAMILIES = """
    MUHAMMAD MOHAMMED MOHAMED MOHAMMAD MUHAMMED MOHAMAD MEHMET MAMADOU MOHAMMOD محمد
    AHMAD AHMED AHMET AKHMED AHMADOU احمد
    MAHMUD MAHMOUD MAHMOOD MAKHMUD محمود
    ALI ALY ALEE علي
    HUSSEIN HUSSAIN HUSEIN HOSSEIN HOSSAIN HUSEYIN HUSSEYN حسين
    HASSAN HASAN حسن
    IBRAHIM EBRAHIM IBRAHIMA BRAHIM ابراهيم
    YUSUF YOUSSEF YOUSUF YUSEF YOUSEF YUSSUF YOSEF IUSUF USUF يوسف
    OMAR UMAR OMER عمر
    OSMAN UTHMAN OTHMAN USMAN عثمان
    ABDULLAH ABDALLAH ABDULLA ABDALLA ABDELLAH عبدالله
    ABDULRAHMAN ABDURRAHMAN ABDELRAHMAN ABDERRAHMAN ABDULREHMAN عبدالرحمن
    MUSTAFA MUSTAPHA MOUSTAFA MOSTAFA MOUSTAPHA مصطفى
    KHALID KHALED HALID CHALID خالد
    SAID SAEED SAYED SAYYID سعيد
    ISMAIL ISMAEL ESMAIL SMAIL اسماعيل
    HAMZA HAMZAH حمزة
    JAMAL GAMAL DJAMAL CEMAL جمال
    SULAYMAN SULEIMAN SOLEIMAN SULEYMAN SOULEYMANE SOLIMAN سليمان
    ZAYNAB ZAINAB ZEINAB ZEYNEP ZINEB زينب
    FATIMA FATMA FATIMAH FATEMEH FATOUMATA FATIMATA فاطمة
    AISHA AYSHA AICHA AYSE AISHAH AISSATOU عائشة
    KHADIJA KHADIJAH KHADIDJA HATICE HADIJA خديجة
    MARYAM MARIAM MERYEM MIRIAM MERIEM مريم
    AMINA AMINAH EMINE AMINATA امينة
    LAYLA LEILA LAILA LEYLA ليلى
    NURA NOURA NOORA نورة
    SALMA SELMA سلمى
    SAMIRA SAMEERA سميرة
    HUDA HODA HOUDA هدى
    ALEKSANDR ALEXANDER ALEXANDR OLEKSANDR ALEXANDRE ALEJANDRO
    ALEKSANDRA ALEXANDRA OLEKSANDRA ALEJANDRA
    ALEKSEI ALEXEI ALEXEY ALEKSEY OLEKSII
    SERGEI SERGEY SERHII SERGUEI
    DMITRII DMITRY DMITRI DIMITRI DMYTRO
    IURII YURI YURY YURII JURI
    IULIIA YULIA JULIA YULIYA IULIA
    MIKHAIL MICHAIL MYKHAILO MIHAIL MICHAEL
    NIKOLAI NIKOLAY MYKOLA NICOLAI
    EKATERINA KATERYNA YEKATERINA KATERINA CATERINA
    ELENA OLENA YELENA HELENA
    NATALIA NATALIIA NATALYA NATALIYA NATALJA
    TATIANA TETIANA TATYANA TATJANA
    OKSANA OXANA
    ANASTASIIA ANASTASIA ANASTASIYA ANASTASIJA
    IRINA IRYNA
    VLADIMIR VOLODYMYR WLADIMIR
    EVGENII EVGENY YEVGENY YEVHEN EVGENIY
    ANDREI ANDREY ANDRII ANDRIY
    ANNA HANNA ANA
    SOFIA SOFIIA SOPHIA SOFIYA
    JOSE JOSEF JOSEPH
    MARIA MARIIA MARIYA MARIJA
    CATHERINE KATHERINE CATARINA KATARINA CATALINA
    STEFAN STEPHAN STEVEN STEPHEN
    CHRISTIAN KRISTIAN CRISTIAN
    NGUYEN NGUEN
"""


def _by_name() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for line in _FAMILIES.strip().splitlines():
        names = tuple(dict.fromkeys(transliterated(word) for word in line.split()))
        for name in names:
            found[name] = tuple(other for other in names if other != name)
    return found


FAMILIES: Mapping[str, tuple[str, ...]] = _by_name()
"""Other spellings of a name, the more usual first; a name that is not listed has none here."""
