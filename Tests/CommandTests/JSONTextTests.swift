import Testing

@testable import ControlAPI

@Suite("JSON") struct JSONTextTests {
    @Test(
        "Texts are read as RFC 8259 says",
        arguments: [
            ("null", JSONValue.null), (" [ ] ", .array([])), ("{\n}", .object([:])),
            ("[true,false , null]", .array([.boolean(true), .boolean(false), .null])),
            (
                "{\"a\": {\"b\": [1]}, \"c\": \"\"}",
                .object(["a": .object(["b": .array([.number("1")])]), "c": .string("")])
            ),
            ("-0.5e+10", .number("-0.5e+10")), ("0", .number("0")), ("12E3", .number("12E3")),
            ("\"a\\n\\t\\\"\\\\\\/\\u00e4\\ud83d\\ude00ö\"", .string("a\n\t\"\\/ä😀ö")),
        ])
    func values(text: String, value: JSONValue) throws {
        #expect(try JSONValue(parsing: Array(text.utf8)) == value)
    }

    @Test(
        "What is no JSON is refused, with its line",
        arguments: [
            ("", 1), ("{", 1), ("[1,]", 1), ("[1 2]", 1), ("{\"a\":1,}", 1), ("{a:1}", 1), ("{\"a\" 1}", 1), ("01", 1),
            ("1.", 1), (".5", 1), ("-", 1), ("1e", 1), ("+1", 1), ("nul", 1), ("\"", 1), ("\"\\x\"", 1),
            ("\"\\u12\"", 1), ("\"\\ud800\"", 1), ("\"\\ud800\\u0041\"", 1), ("\"a\nb\"", 2), ("1\n\n2", 3),
            ("{\"a\":1,\n\"a\":2}", 2), ("'a'", 1), ("[1]]", 1), ("// no", 1),
        ])
    func mistakes(text: String, line: Int) {
        #expect { try JSONValue(parsing: Array(text.utf8)) } throws: { ($0 as? JSONValue.Mistake)?.line == line }
    }

    @Test("Bytes that are not UTF-8 and values nested without end are refused")
    func hostile() {
        #expect(throws: JSONValue.Mistake(what: "text is not UTF-8", line: 1)) {
            try JSONValue(parsing: [0x22, 0xFF, 0x22])
        }
        #expect(throws: JSONValue.Mistake(what: "values are nested too deep", line: 1)) {
            try JSONValue(parsing: [UInt8](repeating: UInt8(ascii: "["), count: 1 << 20))
        }
    }
}
