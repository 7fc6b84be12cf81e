/// A moment as a calendar and a clock show it (Gregorian, UTC). A guest may set any field to anything.
struct CivilTime: Equatable, Sendable {
    private static let secondsPerDay: Int64 = 86_400
    // 400 years have the same number of days, whenever they begin.
    private static let daysPerEra = 146_097
    // Days from 0000-03-01 to 1970-01-01: years that begin in March have their leap day last.
    private static let daysToEpoch = 719_468

    var century = 19
    var yearOfCentury = 70
    var month = 1
    var day = 1
    /// 1 is Sunday.
    var weekday = 5
    var hour = 0
    var minute = 0
    var second = 0

    /// - Parameter seconds: since 1970-01-01; those beyond the years 0 to 9999 are shown as their ends.
    init(seconds: Int64) {
        let seconds = min(max(seconds, -62_135_596_800), 253_402_300_799)
        // Rounded down, also before 1970.
        let days = Int((seconds - (seconds < 0 ? Self.secondsPerDay - 1 : 0)) / Self.secondsPerDay)
        let rest = Int(seconds - Int64(days) * Self.secondsPerDay)
        (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60)
        weekday = ((days + 4) % 7 + 7) % 7 + 1
        let shifted = days + Self.daysToEpoch
        let era = (shifted >= 0 ? shifted : shifted - Self.daysPerEra + 1) / Self.daysPerEra
        let dayOfEra = shifted - era * Self.daysPerEra
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let march = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * march + 2) / 5 + 1
        month = march < 10 ? march + 3 : march - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        (century, yearOfCentury) = (year / 100, year % 100)
    }

    /// Since 1970-01-01; fields out of range count on into the next.
    var seconds: Int64 {
        let year = century * 100 + yearOfCentury - (month <= 2 ? 1 : 0)
        let era = year / 400
        let yearOfEra = year - era * 400
        let march = month > 2 ? month - 3 : month + 9
        let dayOfYear = (153 * march + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * Self.daysPerEra + dayOfEra - Self.daysToEpoch
        return Int64(days) * Self.secondsPerDay + Int64(hour * 3600 + minute * 60 + second)
    }
}
