package archive

import "time"

// firstAsk is how long after a message could not be read the council's phone is asked for
// it again: whatsmeow has done so, and the sender's phone has been asked as well.
const firstAsk = 2 * time.Minute
