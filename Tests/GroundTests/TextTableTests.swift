import Testing
import TextTables

@Suite("Text tables") struct TextTableTests {
    @Test("Columns are as wide as their widest cell, and lines end where their text ends")
    func leftColumns() {
        let table = TextTable(titles: ["NAME", "SIZE"], rows: [["a", "1G"], ["longer", ""], []])
        #expect(table.lines == ["NAME    SIZE", "a       1G", "longer", ""])
    }

    @Test("Figures end at the right edge, notes follow them, and a heading widens no column")
    func rightColumns() {
        var table = TextTable([.left(4), .right(3), .right(6)], spacing: 1)
        table.add(["a heading that is longer than all columns"])
        table.add(["k", "s", "one", "two"])
        table.add(["kernel", "1", "2.00"], note: "goal 1")
        #expect(
            table.text == """
                a heading that is longer than all columns
                k        s    one    two
                kernel   1   2.00   goal 1
                """)
    }
}
