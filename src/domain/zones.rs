//! The time zones in which a respondent may be, by the region of the number.
//!
//! A number reveals only its region. If a region spans several zones, the contact time must be
//! right in all of them: «nine in the evening» is nine in the easternmost, «nine in the morning»
//! nine in the westernmost.

use std::fmt;

use chrono_tz::Tz;

/// One zone, or the outermost zones of a region; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zones(Vec<Tz>);

impl From<Tz> for Zones {
    fn from(zone: Tz) -> Zones {
        Zones(vec![zone])
    }
}

impl Zones {
    /// Returns the zones of an ISO 3166 region; `None` for an unknown one.
    pub fn of_region(region: &str) -> Option<Zones> {
        let names = BY_REGION
            .iter()
            .find(|(regions, _)| regions.split(' ').any(|r| r == region))
            .map(|(_, zones)| *zones)?;
        Zones::parse(names)
    }

    /// Parses space-separated IANA names.
    pub fn parse(names: &str) -> Option<Zones> {
        let zones: Vec<Tz> =
            names.split_whitespace().map(|name| name.parse().ok()).collect::<Option<_>>()?;
        (!zones.is_empty()).then_some(Zones(zones))
    }

    pub fn iter(&self) -> impl Iterator<Item = Tz> + '_ {
        self.0.iter().copied()
    }
}

impl fmt::Display for Zones {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|zone| zone.name()).collect();
        f.write_str(&names.join(" "))
    }
}

/// Regions and their zones (IANA time zone database). For a region with several zones: the
/// westernmost and the easternmost inhabited ones, and another one if only a part observes summer
/// time.
const BY_REGION: [(&str, &str); 82] = [
    ("CN", "Asia/Shanghai"),
    ("HK", "Asia/Hong_Kong"),
    ("MO", "Asia/Macau"),
    ("TW", "Asia/Taipei"),
    ("JP", "Asia/Tokyo"),
    ("KR", "Asia/Seoul"),
    ("KP", "Asia/Pyongyang"),
    ("SG", "Asia/Singapore"),
    ("MY", "Asia/Kuala_Lumpur"),
    ("PH", "Asia/Manila"),
    ("BN", "Asia/Brunei"),
    ("TH VN KH LA", "Asia/Bangkok"),
    ("ID", "Asia/Jakarta Asia/Jayapura"),
    ("TL PW", "Asia/Dili"),
    ("MM", "Asia/Yangon"),
    ("BD BT", "Asia/Dhaka"),
    ("IN LK", "Asia/Kolkata"),
    ("NP", "Asia/Kathmandu"),
    ("PK", "Asia/Karachi"),
    ("MV TJ UZ TM", "Asia/Tashkent"),
    ("KG", "Asia/Bishkek"),
    ("KZ", "Asia/Aqtau Asia/Almaty"),
    ("MN", "Asia/Hovd Asia/Ulaanbaatar"),
    ("AF", "Asia/Kabul"),
    ("IR", "Asia/Tehran"),
    ("AE OM", "Asia/Dubai"),
    ("AM GE", "Asia/Tbilisi"),
    ("AZ", "Asia/Baku"),
    ("SA KW BH QA YE IQ", "Asia/Riyadh"),
    ("SY JO", "Asia/Amman"),
    ("LB", "Asia/Beirut"),
    ("IL", "Asia/Jerusalem"),
    ("PS", "Asia/Gaza"),
    ("TR", "Europe/Istanbul"),
    ("CY", "Asia/Nicosia"),
    ("RU", "Europe/Kaliningrad Asia/Kamchatka"),
    ("BY", "Europe/Minsk"),
    ("UA", "Europe/Kyiv"),
    ("MD", "Europe/Chisinau"),
    ("FI EE LV LT BG RO GR AX", "Europe/Helsinki"),
    (
        "DE AT CH LI FR MC BE NL LU DK NO SJ SE IT SM VA MT PL CZ SK HU SI HR BA RS ME MK AL XK \
            AD GI",
        "Europe/Berlin",
    ),
    ("ES", "Atlantic/Canary Europe/Madrid"),
    ("PT", "Atlantic/Azores Europe/Lisbon"),
    ("GB IE IM JE GG FO", "Europe/London"),
    ("IS GH CI SN ML BF GM GN GW LR MR SL TG ST SH AC TA", "Atlantic/Reykjavik"),
    ("GL", "America/Nuuk"),
    ("MA EH", "Africa/Casablanca"),
    ("DZ TN", "Africa/Tunis"),
    ("NG AO BJ CM TD CF CG GA GQ NE", "Africa/Lagos"),
    ("CD", "Africa/Kinshasa Africa/Lubumbashi"),
    ("EG", "Africa/Cairo"),
    ("LY", "Africa/Tripoli"),
    ("ZA LS SZ BW ZW ZM MW MZ RW BI NA", "Africa/Johannesburg"),
    ("SD SS", "Africa/Khartoum"),
    ("KE UG TZ ET ER DJ SO MG KM YT", "Africa/Nairobi"),
    ("MU RE SC", "Indian/Mauritius"),
    ("CV", "Atlantic/Cape_Verde"),
    ("IO", "Indian/Chagos"),
    ("CC CX", "Indian/Cocos Indian/Christmas"),
    ("US", "Pacific/Honolulu America/Phoenix America/New_York"),
    ("CA", "America/Vancouver America/Regina America/St_Johns"),
    ("MX", "America/Tijuana America/Hermosillo America/Cancun"),
    ("GT BZ SV HN NI CR", "America/Costa_Rica"),
    ("PA JM KY CO PE", "America/Panama"),
    ("EC", "Pacific/Galapagos America/Guayaquil"),
    ("CU", "America/Havana"),
    ("HT BS TC", "America/New_York America/Panama"),
    ("BM", "Atlantic/Bermuda"),
    (
        "DO PR VI VG TT BB AG AI AW BL BQ CW DM GD GP KN LC MF MQ MS SX VC VE BO GY",
        "America/Puerto_Rico",
    ),
    ("PY", "America/Asuncion"),
    ("CL", "Pacific/Easter America/Santiago America/Punta_Arenas"),
    ("AR UY SR GF FK", "America/Argentina/Buenos_Aires"),
    ("PM", "America/Miquelon"),
    ("BR", "America/Rio_Branco America/Noronha"),
    ("AU", "Australia/Perth Australia/Brisbane Australia/Sydney"),
    ("NZ", "Pacific/Auckland Pacific/Chatham"),
    ("NF NC VU SB", "Pacific/Norfolk Pacific/Efate"),
    ("PG GU MP", "Pacific/Port_Moresby Pacific/Bougainville"),
    ("FM MH NR TV WF FJ", "Pacific/Chuuk Pacific/Fiji"),
    ("KI TO WS TK", "Pacific/Tarawa Pacific/Kiritimati"),
    ("AS NU CK PF", "Pacific/Pago_Pago Pacific/Gambier"),
    ("PN", "Pacific/Pitcairn"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_region_stands_once_and_every_zone_is_known() {
        let mut seen = BTreeSet::new();
        for (regions, zones) in BY_REGION {
            assert!(Zones::parse(zones).is_some(), "{zones}");
            regions
                .split(' ')
                .for_each(|region| assert!(seen.insert(region), "{region} stands twice"));
        }
        assert_eq!(Zones::of_region("XX"), None);
    }

    #[test]
    fn a_wide_region_has_several() {
        let zones = Zones::of_region("US").unwrap();
        assert_eq!(zones.to_string(), "Pacific/Honolulu America/Phoenix America/New_York");
        assert_eq!(Zones::parse(&zones.to_string()), Some(zones));
        assert_eq!(Zones::of_region("CN"), Some(Zones::from(chrono_tz::Asia::Shanghai)));
    }
}
