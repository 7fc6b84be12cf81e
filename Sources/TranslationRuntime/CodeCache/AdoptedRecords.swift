/// The places of a segment's records of adopted code.
///
/// The records are made one after the other when they are used first: most of a machine's code is never used by a copy of it, and each page
/// of memory that is written costs a copy time and room.
final class AdoptedRecords {
    /// The numbers by which the records were saved, by their places.
    private var numbers: [Int] = []
    private var places: [Int: Int] = [:]

    /// The place of a saved record, the same each time: 0 for the first that is asked for.
    func place(of number: Int) -> Int {
        if let place = places[number] { return place }
        places[number] = numbers.count
        numbers.append(number)
        return numbers.count - 1
    }

    /// The number by which the record at a place was saved; nil for a record that was not adopted.
    func number(at place: Int) -> Int? { numbers.indices ~= place ? numbers[place] : nil }

    func removeAll() {
        numbers = []
        places = [:]
    }
}
