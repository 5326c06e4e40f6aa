package corpus

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
)

// Photo draws a lane between hedges, with a puddle, and returns it as JPEG. The
// same seed draws the same picture; its bytes depend on Go's encoder too.
func Photo(seed uint64, width, height int) []byte {
	s := newLane(seed)
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.SetRGBA(x, y, s.at(x*1000/width, y*1000/height))
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 80}); err != nil {
		panic(err) // the picture is too large for a JPEG
	}
	return b.Bytes()
}

// lane is a picture of a thousand by a thousand.
type lane struct {
	seed                             uint32
	horizon, vanish, bend            int
	puddleX, puddleY, wide, tall     int
	hedgeLeft, hedgeRight            int // how high they stand at the picture's edge
	top, bottom, grass, leaf, tarmac rgb
	post                             int // where a white post stands
}

type rgb [3]int

func newLane(seed uint64) *lane {
	d := newDice(seed)
	s := &lane{seed: uint32(d.n(1 << 30)), horizon: d.between(360, 440), vanish: d.between(400, 600), bend: d.between(-60, 60),
		puddleY: d.between(690, 860), wide: d.between(90, 170), hedgeLeft: d.between(180, 420), hedgeRight: d.between(120, 380),
		top: rgb{96, 140, 196}, bottom: rgb{206, 222, 232}, grass: rgb{92, 122, 52}, leaf: rgb{50, 82, 36}, tarmac: rgb{104, 102, 100}}
	if d.percent(45) { // an overcast day
		s.top, s.bottom = rgb{140, 148, 156}, rgb{198, 202, 204}
	}
	if d.percent(30) { // in autumn
		s.leaf, s.grass = rgb{104, 78, 34}, rgb{112, 112, 56}
	}
	s.tall = s.wide / 5
	s.puddleX = s.centre(s.puddleY) + d.between(-80, 80)
	s.post = d.between(60, 240)
	return s
}

// centre is the lane's middle at a height, half its half width there.
func (s *lane) centre(y int) int { return s.vanish + s.bend*(y-s.horizon)*(y-s.horizon)/100_000 }
func (s *lane) half(y int) int   { return 8 + (y-s.horizon)*62/100 }

func (s *lane) at(x, y int) color.RGBA {
	side, stands := s.vanish-x, s.hedgeLeft
	if side < 0 {
		side, stands = -side, s.hedgeRight
	}
	side = max(0, side-30)
	ragged := s.noise(x, 3*side, 18)/9 + s.noise(x, y, 6)/20
	crown, foot := s.horizon-side*stands/600-ragged+14, s.horizon+side*36/100+s.noise(x, y, 9)/16
	px, py := x-s.puddleX+s.noise(x, y, 40)/8-16, y-s.puddleY+s.noise(y, x, 30)/16-8
	away := px*px*100/(s.wide*s.wide) + py*py*100/(s.tall*s.tall) // 100 at the puddle's rim
	switch {
	case abs(x-s.post) < 7 && y > s.horizon+60 && y < s.horizon+250:
		return rgb{226, 226, 220}.shade(s.noise(x, y, 4)/12 - 40*b2i(x > s.post+2) - 120*b2i(y < s.horizon+95 && y > s.horizon+75))
	case y > crown && y < foot:
		lit := (foot - y) * 40 / (foot - crown + 1)
		return s.leaf.shade(lit - 20 + s.noise(x, y, 5)/4 + s.noise(x, y, 16)/5 - 50)
	case y < s.horizon-s.noise(x, 7, 120)/8:
		return s.sky(x, y)
	case y <= s.horizon:
		return mix(s.leaf, s.bottom, 55, 100).shade(s.noise(x, y, 8)/20 - 6)
	case away < 100:
		return mix(rgb(s.reflect(x, y)), s.tarmac, 25+away/4, 100).shade(-18 + s.noise(x/4, y, 5)/20)
	case abs(x-s.centre(y)) < s.half(y)+s.noise(x, y, 12)/10:
		wet := max(0, 130-away) * b2i(away < 130)
		return s.tarmac.shade(s.noise(x, y, 3)/8 + s.noise(x, y, 50)/9 - 28 - wet - 14*b2i(abs(abs(x-s.centre(y))-s.half(y)/2) < s.half(y)/7))
	default:
		return s.grass.shade(s.noise(x, y*2, 6)/4 + s.noise(x, y, 30)/5 - 50)
	}
}

func (s *lane) sky(x, y int) color.RGBA {
	clouds := max(0, s.noise(x, 2*y, 260)+s.noise(x, 3*y, 90)/2+s.noise(x, 3*y, 30)/5-200)
	return mix(mix(s.top, s.bottom, y, s.horizon), rgb{246, 246, 246}, min(clouds, 90), 100).shade(0)
}

func (s *lane) reflect(x, y int) rgb {
	c := s.sky(x+s.noise(x, y, 12)/12, max(0, s.horizon-(y-s.puddleY+s.tall)*6))
	return rgb{int(c.R), int(c.G), int(c.B)}
}

func mix(a, b rgb, part, of int) (m rgb) {
	for i := range m {
		m[i] = a[i] + (b[i]-a[i])*part/of
	}
	return m
}

func (c rgb) shade(by int) color.RGBA {
	f := func(v int) uint8 { return uint8(min(max(v+by*(v+60)/200, 0), 255)) }
	return color.RGBA{f(c[0]), f(c[1]), f(c[2]), 255}
}

// noise is from 0 to 255 and smooth over grains of a size.
func (s *lane) noise(x, y, grain int) int {
	x, y = x+10_000, y+10_000
	i, j, u, v := x/grain, y/grain, x%grain, y%grain
	grains := func(i, j int) int {
		h := (uint32(i)*0x9e3779b1 ^ uint32(j)*0x85ebca6b ^ uint32(grain)*0xc2b2ae35 ^ s.seed) * 0x27d4eb2f
		h = (h ^ h>>15) * 0x2c1b3c6d
		return int(h >> 13 & 255)
	}
	above := grains(i, j)*(grain-u) + grains(i+1, j)*u
	below := grains(i, j+1)*(grain-u) + grains(i+1, j+1)*u
	return (above*(grain-v) + below*v) / (grain * grain)
}

func abs(n int) int { return max(n, -n) }

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
