import Testing

@testable import Compose

@Suite("Texts of project files")
struct TextTests {
    @Test("A file of variables has comments, quotation marks, 'export' and variables")
    func environmentFile() throws {
        let text = """
            # first line
            PLAIN=value # comment
              export SPACED = two words\u{20}
            HASH=a#b
            SINGLE='$PLAIN # kept'
            DOUBLE="line\\n\\"${PLAIN}\\" \\$5" # comment
            FROM=$PLAIN-$OUT
            EMPTY=
            OUT=inner
            """
        let file = try EnvironmentFile(text, outer: ["OUT": "outer"])
        #expect(
            file.variables == [
                "PLAIN": "value", "SPACED": "two words", "HASH": "a#b", "SINGLE": "$PLAIN # kept",
                "DOUBLE": "line\n\"value\" $5", "FROM": "value-outer", "EMPTY": "", "OUT": "inner",
            ])
    }

    @Test(
        "A mistake in a file of variables has its line",
        arguments: [
            ("A=1\nB", 2, "a '=' is missing"), ("1A=x", 1, "'1A' is not the name of a variable"),
            ("\n\nA='x", 3, "a value in quotation marks does not end with one"),
            ("A=\"x\" y", 1, "a value in quotation marks does not end with one"),
            ("A=${", 1, "'${' is not a valid variable"),
        ])
    func environmentMistakes(text: String, line: Int, found: String) {
        var caught: EnvironmentFile.Mistake?
        do throws(EnvironmentFile.Mistake) {
            _ = try EnvironmentFile(text, outer: [:])
        } catch { caught = error }
        #expect(caught?.line == line)
        #expect(caught?.found == found)
    }

    @Test("A command in one text is split as a shell splits it")
    func shellWords() {
        #expect(ShellWords.split(#"sh -c 'echo "a  b"; exit 3'"#) == ["sh", "-c", #"echo "a  b"; exit 3"#])
        #expect(ShellWords.split(#"a\ b "c \"d\" \e" f'g'h '' "#) == ["a b", #"c "d" \e"#, "fgh", ""])
        #expect(ShellWords.split("  ") == [])
        #expect(ShellWords.split("'open") == nil)
        #expect(ShellWords.split("a\\") == nil)
    }

    @Test(
        "Durations have compose's units, and seconds are rounded up",
        arguments: [
            ("10s", 10), ("1m30s", 90), ("1.5h", 5400), ("500ms", 1), ("0", 0), ("0s", 0), ("1s1us", 2), ("2m", 120),
        ])
    func durations(text: String, seconds: Int) {
        #expect(DurationText.seconds(text) == seconds)
    }

    @Test(
        "Other texts are no durations", arguments: ["", "10", "s", "1d", "-1s", "1 s", "1e3s", "99999999999h", "1..2s"])
    func noDurations(text: String) {
        #expect(DurationText.nanoseconds(text) == nil)
    }
}
