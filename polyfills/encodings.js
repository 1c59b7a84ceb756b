// SPDX-License-Identifier: MIT
// Encoding Standard, section 4.2: names and labels of all encodings but UTF-8, which encoding.js has. Decoders are ICU's.
'use strict';
const { decoderOpen, decoderDecode } = native;
const encodings = `
    IBM866: 866 cp866 csibm866 ibm866
    ISO-8859-2: csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2 latin2
    ISO-8859-3: csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 l3 latin3
    ISO-8859-4: csisolatin4 iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 l4 latin4
    ISO-8859-5: csisolatincyrillic cyrillic iso-8859-5 iso-ir-144 iso8859-5 iso88595 iso_8859-5 iso_8859-5:1988
    ISO-8859-6: arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6 iso-8859-6-e iso-8859-6-i iso-ir-127 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987
    ISO-8859-7: csisolatingreek ecma-118 elot_928 greek greek8 iso-8859-7 iso-ir-126 iso8859-7 iso88597 iso_8859-7 iso_8859-7:1987 sun_eu_greek
    ISO-8859-8: csiso88598e csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e iso-ir-138 iso8859-8 iso88598 iso_8859-8 iso_8859-8:1988 visual
    ISO-8859-8-I: csiso88598i iso-8859-8-i logical
    ISO-8859-10: csisolatin6 iso-8859-10 iso-ir-157 iso8859-10 iso885910 l6 latin6
    ISO-8859-13: iso-8859-13 iso8859-13 iso885913
    ISO-8859-14: iso-8859-14 iso8859-14 iso885914
    ISO-8859-15: csisolatin9 iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9
    ISO-8859-16: iso-8859-16
    KOI8-R: cskoi8r koi koi8 koi8-r koi8_r
    KOI8-U: koi8-ru koi8-u
    macintosh: csmacintosh mac macintosh x-mac-roman
    windows-874: dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874
    windows-1250: cp1250 windows-1250 x-cp1250
    windows-1251: cp1251 windows-1251 x-cp1251
    windows-1252: ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 iso88591 iso_8859-1 iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252
    windows-1253: cp1253 windows-1253 x-cp1253
    windows-1254: cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989 l5 latin5 windows-1254 x-cp1254
    windows-1255: cp1255 windows-1255 x-cp1255
    windows-1256: cp1256 windows-1256 x-cp1256
    windows-1257: cp1257 windows-1257 x-cp1257
    windows-1258: cp1258 windows-1258 x-cp1258
    x-mac-cyrillic: x-mac-cyrillic x-mac-ukrainian
    GBK: chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 gbk iso-ir-58 x-gbk
    gb18030: gb18030
    Big5: big5 big5-hkscs cn-big5 csbig5 x-x-big5
    EUC-JP: cseucpkdfmtjapanese euc-jp x-euc-jp
    ISO-2022-JP: csiso2022jp iso-2022-jp
    Shift_JIS: csshiftjis ms932 ms_kanji shift-jis shift_jis sjis windows-31j x-sjis
    EUC-KR: cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 windows-949
    UTF-16BE: unicodefffe utf-16be
    UTF-16LE: csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le
    x-user-defined: x-user-defined`;
// Where ICU's converter of the same name is another one, or is called otherwise
const ofIcu = {
    'ISO-8859-8-I': 'ISO-8859-8', 'x-mac-cyrillic': 'x-mac-cyrillic', macintosh: 'macintosh', GBK: 'gb18030',
    Big5: 'big5-hkscs', 'EUC-KR': 'windows-949', Shift_JIS: 'ibm-943_P15A-2003', 'windows-874': 'windows-874',
};
const names = new Map();
for (const line of encodings.trim().split('\n')) {
    const [name, labels] = line.trim().split(': ');
    for (const label of labels.split(' '))
        names.set(label, name);
}
// ICU has no ISO-8859-16: where it differs from ISO-8859-1, as byte:code point
const latin10 = new Map(('a1:104 a2:105 a3:141 a4:20ac a5:201e a6:160 a8:161 aa:218 ac:179 ae:17a af:17b b2:10c b3:142 b4:17d ' +
    'b5:201d b8:17e b9:10d ba:219 bc:152 bd:153 be:178 bf:17c c3:102 c5:106 d0:110 d1:143 d5:150 d7:15a d8:170 dd:118 ' +
    'de:21a e3:103 e5:107 f0:111 f1:144 f5:151 f7:15b f8:171 fd:119 fe:21b').split(' ').map((pair) => {
    const [byte, point] = pair.split(':').map((hex) => parseInt(hex, 16));
    return [byte, String.fromCharCode(point)];
}));
// Where ICU's table of a single-byte encoding is not the standard's index: byte -> character; '': the standard has none
const patches = {
    'windows-874': { 0xdb: '', 0xdc: '', 0xdd: '', 0xde: '', 0xfc: '', 0xfd: '', 0xfe: '', 0xff: '' },
    'windows-1253': { 0xaa: '' },
    'windows-1255': { 0xca: '\u05ba' },
};
// The same decoder with these bytes looked up here: one byte is one character, so both stand at one place.
const patched = (patch, decode, fatal) => (bytes, more) => {
    if (!bytes.some((byte) => patch[byte] !== undefined))
        return decode(bytes, more);
    if (fatal && bytes.some((byte) => patch[byte] === ''))
        return undefined;
    const text = decode(bytes.map((byte) => patch[byte] === undefined ? byte : 63), more);
    return text === undefined ? undefined : Array.from(bytes, (byte, i) =>
        patch[byte] === undefined ? text[i] : patch[byte] || '\ufffd').join('');
};
return {
    nameOf: (label) => names.get(label),
    // -> (bytes, more to come?) => string or undefined
    open(name, fatal) {
        if (name === 'x-user-defined') // section 14.5
            return (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte < 128 ? byte : 0xf700 + byte)).join('');
        if (name === 'ISO-8859-16')
            return (bytes) => Array.from(bytes, (byte) => latin10.get(byte) ?? String.fromCharCode(byte)).join('');
        const decoder = decoderOpen(ofIcu[name] ?? name, fatal);
        if (decoder === undefined)
            return undefined;
        const decode = (bytes, more) => decoderDecode(decoder, bytes, more);
        return patches[name] === undefined ? decode : patched(patches[name], decode, fatal);
    },
};
