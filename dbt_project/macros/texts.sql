{# Texts that people typed: how they are compared, searched, and rid of personal data. #}

{# "Hạc Thành " and "hac thanh" are one: small letters without marks, đ as d, single spaces. Mirrors ioc.plain_text. #}
{% macro folded(text) -%}
    btrim(regexp_replace(
        replace(regexp_replace(normalize(lower({{ text }}), nfd), '[\u0300-\u036f]', '', 'g'), 'đ', 'd'), '\s+', ' ', 'g'
    ))
{%- endmacro %}

{# A text as a pattern that means just it. #}
{% macro quoted_pattern(text) -%}
    regexp_replace({{ text }}, '([][\\.^$|?*+(){}-])', '\\\1', 'g')
{%- endmacro %}

{#
A text without personal data (Luật 91/2025/QH15): mail addresses; telephone and identity numbers however they are spaced;
what follows "tôi là", "ông", "CCCD", "nhà tôi ở", …; names with "Văn" or "Thị" in them, unless of a street; and, case apart,
everything that the record itself says of its sender (`said`: SQL expressions). Rather too much than too little: a bare number of nine digits and more goes too.
#}
{% macro masked_text(text, said=[]) -%}
    {%- set result = namespace(sql="normalize(" ~ text ~ ", nfc)") -%}
    {%- for one in said -%}
        {#- What is shorter than three letters is no name; '$.^' fits nothing. -#}
        {%- set pattern -%}
            coalesce('(?i)' || case when length(btrim({{ one }})) >= 3 then {{ quoted_pattern("normalize(btrim(" ~ one ~ "), nfc)") }} end, '$.^')
        {%- endset -%}
        {%- set result.sql = "regexp_replace(" ~ result.sql ~ ", " ~ pattern ~ ", '[đã che]', 'g')" -%}
    {%- endfor -%}
    {%- for pattern, mask in [
        ('[[:alnum:]._%+-]+@[[:alnum:]-]+(\.[[:alnum:]-]+)+', '[thư điện tử đã che]'),
        ('(?i)((căn cước( công dân)?|cccd|cmnd|chứng minh( nhân dân)?|hộ chiếu)( số)?\s*:?\s*)[[:alnum:]]?\d([ .-]?\d){6,11}', '\\1[số đã che]'),
        ('(?<!\d)(\+?84|0)([ .()-]{0,2}\d){8,11}(?!\d)', '[số đã che]'),
        ('(?<!\d)\d{9,}(?!\d)', '[số đã che]'),
        ('(?i)((số nhà|nhà số|địa chỉ|nhà tôi ở|thường trú( tại)?|trú tại)\s*:?\s*)[^.;\n]+', '\\1[địa chỉ đã che]'),
        ('(([Tt]ôi là|[Tt]ôi tên( là)?|[Tt]ên tôi là|[Hh]ọ( và)? tên|[Nn]gười (phản ánh|gửi)|[Ll]iên hệ|[Gg]ặp)\s*:?\s*)[[:upper:]][[:alpha:]]*(\s+[[:upper:]][[:alpha:]]*)+', '\\1[tên đã che]'),
        ('(?<![[:alpha:]])(([Ôô]ng|ÔNG|[Bb]à|BÀ|[Aa]nh|[Cc]hị|[Cc]ông dân|[Hh]ộ)\s+)[[:upper:]][[:alpha:]]*(\s+[[:upper:]][[:alpha:]]*)+', '\\1[tên đã che]'),
        ('(?<![[:alpha:]])(?<!([Đđ]ường|[Pp]hố)\s)[[:upper:]][[:alpha:]]*\s+(Văn|VĂN|Thị|THỊ)(\s+[[:upper:]][[:alpha:]]*)+', '[tên đã che]'),
    ] -%}
        {%- set result.sql = "regexp_replace(" ~ result.sql ~ ", '" ~ pattern ~ "', '" ~ mask | replace('\\\\', '\\') ~ "', 'g')" -%}
    {%- endfor -%}
    {{ result.sql }}
{%- endmacro %}
